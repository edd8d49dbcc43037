export const asyncMap = async (list, act) => await Promise.all((await list).map(act));
