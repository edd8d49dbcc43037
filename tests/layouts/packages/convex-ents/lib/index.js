"use strict";
const { defineSchema, defineTable } = require("convex/server");
const { v } = require("convex/values");

class Ent {
  constructor(fields) {
    this.fields = { ...fields };
    this.indexes = [];
    this.edgeConfigs = {};
  }
  edge(name) {
    this.edgeConfigs[name] = { field: `${name}Id`, to: `${name}s` };
    return this;
  }
  edges(name, { ref }) {
    this.edgeConfigs[name] = { ref };
    return this;
  }
}

exports.defineEnt = (fields) => new Ent(fields);

exports.defineEntsFromTables = (tables) =>
  Object.fromEntries(
    Object.entries(tables).map(([name, table]) => {
      const ent = new Ent(table.validator.fields);
      ent.indexes = table.export().indexes;
      return [name, ent];
    }),
  );

/** Takes ents only: a table of defineTable has no edgeConfigs. */
exports.defineEntSchema = (ents, options) => {
  const tables = Object.entries(ents).map(([name, ent]) => {
    const edges = Object.values(ent.edgeConfigs).filter(({ field }) => field);
    let table = defineTable({
      ...ent.fields,
      ...Object.fromEntries(edges.map(({ field, to }) => [field, v.id(to)])),
    });
    for (const { field } of edges) table = table.index(field, [field]);
    for (const { indexDescriptor, fields } of ent.indexes) table = table.index(indexDescriptor, fields);
    return [name, table];
  });
  return defineSchema(Object.fromEntries(tables), options);
};

exports.getEntDefinitions = (schema) => schema.tables;

exports.entsTableFactory = (ctx, definitions) => async (name) => {
  if (!(name in definitions)) throw new Error(`no ent ${name}`);
  return await ctx.db.query(name).collect();
};
