import { internalMutation, internalQuery } from "./_generated/server";
import { bulkInsert } from "./loading";
import { adopter, epochKeeper, missingFinder, pageReader, remover } from "./ledgerOps";

export const bulkInsertTeams = bulkInsert("teams");
export const bulkInsertPeople = bulkInsert("people");
export const bulkInsertPets = bulkInsert("pets");

export const readPage = internalQuery(pageReader);
export const findMissing = internalQuery(missingFinder);
export const epoch = internalMutation(epochKeeper);
export const adopt = internalMutation(adopter);
export const remove = internalMutation(remover);
