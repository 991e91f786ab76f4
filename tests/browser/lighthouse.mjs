/* Prints what Lighthouse says of a page that is open in a Chromium: scores, and what failed.

   node lighthouse.mjs MODULES PORT ADDRESS MODE

   MODULES is where lighthouse and puppeteer-core are installed, PORT that of the developer tools,
   MODE "navigation" (the page is opened again by its address) or "snapshot" (as it is: the answer
   to a form has no address of its own). */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, port, address, mode] = process.argv.slice(2);
const load = (name) =>
  import(pathToFileURL(createRequire(join(modules, "x.js")).resolve(name)));

const { default: puppeteer } = await load("puppeteer-core");
const { navigation, snapshot } = await load("lighthouse");

const browser = await puppeteer.connect({
  browserURL: `http://127.0.0.1:${port}`,
  defaultViewport: null,
});
const pages = await browser.pages();
const page = pages.find((one) => one.url() === address);
const flags = {
  onlyCategories: ["accessibility", "best-practices"],
  // The session's cookies have to stay, or the page would be another one.
  disableStorageReset: true,
  throttlingMethod: "provided",
  // The page of an error comes with the status of the error.
  ignoreStatusCode: true,
  logLevel: "error",
};
const { lhr } = await (mode === "snapshot"
  ? snapshot(page, { flags })
  : navigation(page, address, { flags }));
const counts = ({ score, scoreDisplayMode }) =>
  score !== null && score < 1 && ["binary", "numeric", "metricSavings"].includes(scoreDisplayMode);
console.log(JSON.stringify({
  error: lhr.runtimeError?.message ?? null,
  title: await page.title(),
  scores: Object.fromEntries(Object.values(lhr.categories).map(({ id, score }) => [id, score])),
  failed: Object.values(lhr.audits).filter(counts).map(({ id, details }) => `${id}: ${
    (details?.items ?? []).map((item) => item.node?.snippet ?? item.description ?? "").join(" ")}`),
  audits: Object.values(lhr.audits).filter(({ score }) => score !== null).length,
}));
await browser.disconnect();
