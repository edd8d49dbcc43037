throw new Error("an import was given what is for require()");
