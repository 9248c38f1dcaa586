// Moving around on the map: wheel, drag and pinch by d3-zoom; buttons and keys through the same behaviour.
import { select } from "d3-selection";
import { type D3ZoomEvent, type ZoomTransform, zoom, zoomIdentity } from "d3-zoom";

const FARTHEST = 0.02;
const CLOSEST = 3;
/** Below this scale rows of a table are too small to read; leaving them out keeps a large map quick. */
const READABLE = 0.3;
const NEAR = 0.5;
/** A turn of the wheel is many gestures in a row. */
const REST_MS = 250;
const MARGIN = 24;

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export class Viewport {
  private readonly behaviour = zoom<HTMLElement, unknown>().scaleExtent([FARTHEST, CLOSEST]);
  private readonly surface;
  private transform: ZoomTransform = zoomIdentity;
  private resting = 0;

  constructor(
    private readonly frame: HTMLElement,
    private readonly stage: HTMLElement,
    private readonly size: { readonly width: number; readonly height: number },
  ) {
    this.surface = select(frame);
    this.behaviour
      .clickDistance(4)
      .on("start", (event: D3ZoomEvent<HTMLElement, unknown>) => {
        // While it moves it is a picture of its own, which is cheap to move; at rest it is drawn sharp again. Zooming from afar
        // would make that picture of the whole map at full size, which costs more than it saves.
        window.clearTimeout(this.resting);
        const isDragged = event.sourceEvent instanceof Event && event.sourceEvent.type !== "wheel";
        stage.classList.toggle("moving", isDragged || (Boolean(event.sourceEvent) && event.transform.k > NEAR));
        stage.classList.toggle("gliding", !event.sourceEvent);
      })
      .on("zoom", (event: D3ZoomEvent<HTMLElement, unknown>) => this.show(event.transform))
      .on("end", () => {
        this.resting = window.setTimeout(() => stage.classList.remove("moving"), REST_MS);
      });
    this.surface.call(this.behaviour).on("dblclick.zoom", null);
  }

  private show(transform: ZoomTransform): void {
    this.transform = transform;
    this.stage.style.transform = `translate(${transform.x}px, ${transform.y}px) scale(${transform.k})`;
    this.stage.classList.toggle("far", transform.k < READABLE);
    this.frame.dataset["scale"] = transform.k.toFixed(3);
  }

  /** All of it, but never larger than life. */
  fit(): void {
    const { clientWidth, clientHeight } = this.frame;
    const scale = Math.min(1, (clientWidth - 2 * MARGIN) / this.size.width, (clientHeight - 2 * MARGIN) / this.size.height);
    const left = (clientWidth - this.size.width * scale) / 2;
    const top = (clientHeight - this.size.height * scale) / 2;
    this.behaviour.transform(this.surface, zoomIdentity.translate(left, top).scale(Math.max(FARTHEST, scale)));
  }

  zoomBy(factor: number): void {
    this.behaviour.scaleBy(this.surface, factor);
  }

  moveBy(x: number, y: number): void {
    this.behaviour.translateBy(this.surface, x / this.transform.k, y / this.transform.k);
  }

  /** Bring a part of the drawing into the middle, near enough to read. */
  showBox(box: Box): void {
    const { clientWidth, clientHeight } = this.frame;
    const room = Math.min((clientWidth - 4 * MARGIN) / box.width, (clientHeight - 4 * MARGIN) / box.height);
    const scale = Math.min(Math.max(this.transform.k, 0.8), Math.max(room, FARTHEST), 1.2);
    const middle = zoomIdentity
      .translate(clientWidth / 2, clientHeight / 2)
      .scale(scale)
      .translate(-(box.x + box.width / 2), -(box.y + box.height / 2));
    this.behaviour.transform(this.surface, middle);
  }

  /** Where an element is on the drawing, whatever the scale. */
  boxOf(element: SVGGraphicsElement): Box {
    const outer = this.stage.getBoundingClientRect();
    const inner = element.getBoundingClientRect();
    const scale = outer.width / this.size.width || 1;
    return { x: (inner.x - outer.x) / scale, y: (inner.y - outer.y) / scale, width: inner.width / scale, height: inner.height / scale };
  }

  /** True when all of it can be seen. */
  isSeen(element: Element): boolean {
    const frame = this.frame.getBoundingClientRect();
    const box = element.getBoundingClientRect();
    return box.left >= frame.left && box.right <= frame.right && box.top >= frame.top && box.bottom <= frame.bottom;
  }

  dispose(): void {
    this.surface.on(".zoom", null);
  }
}
