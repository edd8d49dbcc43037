class Type {
  constructor(kind, of, fits) {
    Object.assign(this, { kind, of, fits });
  }
  optional() {
    return new Type("optional", this, (value) => value === undefined || this.fits(value));
  }
  parse(value) {
    if (!this.fits(value)) throw new Error(`not of the type ${this.kind}`);
    return value;
  }
}

export const string = () => new Type("string", null, (value) => typeof value === "string");
export const number = () => new Type("number", null, (value) => typeof value === "number");
const oneOf = (values) => new Type("enum", values, (value) => values.includes(value));
export { oneOf as enum };
export const object = (types) =>
  new Type("object", types, (value) =>
    Object.entries(types).every(([name, type]) => type.fits(value[name])),
  );
