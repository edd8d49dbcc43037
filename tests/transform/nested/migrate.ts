import { internalMutation, internalQuery } from "./_generated/server";
import { bulkInsert } from "./loading";
import { adopter, epochKeeper, pageReader, remover } from "./ledgerOps";

export const bulkInsertUsers = bulkInsert("users");
export const bulkInsertFiles = bulkInsert("files");
export const bulkInsertPages = bulkInsert("pages");
export const bulkInsertEvents = bulkInsert("events");
export const bulkInsertNotes = bulkInsert("notes");

export const readPage = internalQuery(pageReader);
export const epoch = internalMutation(epochKeeper);
export const adopt = internalMutation(adopter);
export const remove = internalMutation(remover);
