export const TITLE_LENGTH = 200;
