// Holds a document to the official schema of its kind: node check.mjs asyncapi|openapi, with
// the document on standard input. Says what is wrong with it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import addFormats from "ajv-formats";
import { Validator } from "@seriousme/openapi-schema-validator";

const require = createRequire(import.meta.url);
const document = JSON.parse(readFileSync(0, "utf8"));

async function openapi() {
  const { valid, errors } = await new Validator().validate(document);
  return valid ? [] : [].concat(errors);
}

function asyncapi() {
  const { Ajv } = require("ajv");
  // The schema brings that of draft 07 along.
  const ajv = new Ajv({ strict: false, allErrors: true, meta: false, validateSchema: false });
  addFormats.default(ajv);
  const validate = ajv.compile(require("@asyncapi/specs/schemas/3.0.0.json"));
  return validate(document) ? [] : validate.errors;
}

const errors = await { openapi, asyncapi }[process.argv[2]]();
for (const error of errors) console.log(error.instancePath ?? "", error.message ?? error, JSON.stringify(error.params ?? ""));
process.exit(errors.length > 0 ? 1 : 0);
