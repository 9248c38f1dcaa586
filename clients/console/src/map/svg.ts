// The map as the service drew it, made safe by structure: only shapes and words come in, nothing that runs or loads.
const SHAPES = new Set(
  ["svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "title", "desc", "defs", "marker", "clipPath", "linearGradient", "stop"],
);
const ATTRIBUTES = new Set(
  (
    "class id d x y dx dy x1 y1 x2 y2 cx cy r rx ry width height points viewBox preserveAspectRatio transform fill fill-opacity fill-rule stroke stroke-width " +
    "stroke-dasharray stroke-linecap stroke-linejoin stroke-opacity opacity offset stop-color stop-opacity text-anchor dominant-baseline font-size font-weight " +
    "font-family letter-spacing textLength lengthAdjust marker-start marker-mid marker-end markerWidth markerHeight markerUnits refX refY orient clip-path vector-effect " +
    "role tabindex xml:space"
  ).split(" "),
);
const SVG = "http://www.w3.org/2000/svg";

export interface Drawn {
  readonly svg: SVGSVGElement;
  readonly css: string;
  readonly width: number;
  readonly height: number;
}

/** Parse a drawing; throws when it is none. */
export function readDrawing(text: string): Drawn {
  // Taken out before it is parsed: the page allows no style sheet inside markup, not even in a document that nobody sees.
  let css = "";
  const shapes = text.replace(/<style>([^<]*)<\/style>/, (_, rules: string) => ((css = rules), ""));
  const parsed = new DOMParser().parseFromString(shapes, "image/svg+xml");
  if (parsed.querySelector("parsererror") || parsed.documentElement.localName !== "svg") throw new Error("The map could not be read.");
  const svg = copy(parsed.documentElement) as SVGSVGElement;
  const [, , boxWidth, boxHeight] = (svg.getAttribute("viewBox") ?? "").split(/[ ,]+/).map(Number);
  const width = boxWidth || Number.parseFloat(svg.getAttribute("width") ?? "") || 800;
  const height = boxHeight || Number.parseFloat(svg.getAttribute("height") ?? "") || 600;
  svg.setAttribute("width", String(width));
  svg.setAttribute("height", String(height));
  return { svg, css: isHarmlessCss(css) ? css : "", width, height };
}

/** Style sheets can load things, too. */
function isHarmlessCss(css: string): boolean {
  return !/url\s*\(|@import|@font-face|\\|image-set|src\s*\(/i.test(css);
}

function copy(element: Element): Element {
  const twin = document.createElementNS(SVG, element.localName);
  for (const { name, value } of element.attributes) {
    if (isHarmlessAttribute(name, value)) twin.setAttribute(name, value);
  }
  for (const node of element.childNodes) {
    if (node instanceof Element) {
      if (node.namespaceURI === SVG && SHAPES.has(node.localName)) twin.append(copy(node));
    } else if (node.nodeType === Node.TEXT_NODE || node.nodeType === Node.CDATA_SECTION_NODE) {
      twin.append(document.createTextNode(node.nodeValue ?? ""));
    }
  }
  return twin;
}

function isHarmlessAttribute(name: string, value: string): boolean {
  if (name.startsWith("data-") || name.startsWith("aria-")) return true;
  // A paint or a marker may name something inside the drawing, nothing outside.
  return ATTRIBUTES.has(name) && !/url\s*\((?!\s*["']?#)/i.test(value);
}

let adopted: CSSStyleSheet | undefined;

/** Let the page know the drawing's style; its rules are all about the map. */
export function adopt(css: string): void {
  adopted ??= new CSSStyleSheet();
  adopted.replaceSync(css);
  if (!document.adoptedStyleSheets.includes(adopted)) document.adoptedStyleSheets = [...document.adoptedStyleSheets, adopted];
}
