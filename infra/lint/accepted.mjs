export const accepted = [];
