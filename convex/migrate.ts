/**
 * The functions that `stages` calls, all internal: from outside they answer to the deployment's
 * admin key, or through the HTTP action of channel.ts, which takes its list of names from here.
 * One line a table; what they do is in loading.ts and ledgerOps.ts.
 */
import { internalMutation, internalQuery } from "./_generated/server";
import { bulkInsert } from "./loading";
import {
  adopter,
  documentReader,
  epochKeeper,
  ledgerClearer,
  missingFinder,
  pageReader,
  remover,
} from "./ledgerOps";

export const bulkInsertAriDestinations = bulkInsert("ariDestinations");
export const bulkInsertAriPayments = bulkInsert("ariPayments");
export const bulkInsertAriAppointments = bulkInsert("ariAppointments");
export const bulkInsertAriAiComparison = bulkInsert("ariAiComparison");
export const bulkInsertAriFlowStages = bulkInsert("ariFlowStages");
export const bulkInsertAriKnowledgeCategories = bulkInsert("ariKnowledgeCategories");
export const bulkInsertAriKnowledgeEntries = bulkInsert("ariKnowledgeEntries");
export const bulkInsertAriScoringConfig = bulkInsert("ariScoringConfig");
export const bulkInsertConsultantSlots = bulkInsert("consultantSlots");
export const bulkInsertArticles = bulkInsert("articles");
export const bulkInsertWebinars = bulkInsert("webinars");
export const bulkInsertWebinarRegistrations = bulkInsert("webinarRegistrations");

export const readPage = internalQuery(pageReader);
export const readDocuments = internalQuery(documentReader);
export const findMissing = internalQuery(missingFinder);
export const epoch = internalMutation(epochKeeper);
export const adopt = internalMutation(adopter);
export const remove = internalMutation(remover);
export const clearLedger = internalMutation(ledgerClearer);
