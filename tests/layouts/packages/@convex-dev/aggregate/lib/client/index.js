export class TableAggregate {
  constructor(component, { sortKey }) {
    Object.assign(this, { component, sortKey });
  }
  async count(ctx) {
    return (await ctx.runQuery(this.component.btree.aggregateBetween, {})).count;
  }
}
