export const Password = { id: "password", type: "credentials" };
