export const where = import.meta.url;
export const named = (name) => name;
