/**
 * The page's elements: found, made and changed. Whatever comes from the server is set as text or as an attribute,
 * never as markup.
 */
const SVG = "http://www.w3.org/2000/svg"

type Attributes = Readonly<Record<string, string | number>>

/** The element of page.html with this id. */
export function at(id: string): HTMLElement {
  return elementAt(id, HTMLElement)
}

/** The same, when it must be of a certain kind. */
export function elementAt<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind {
  const element = document.getElementById(id)
  if (element instanceof kind) return element
  throw new Error(`the page has no ${kind.name} with the id ${id}`)
}

/** A new element with attributes and children; strings become text. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
  set(element, attributes)
  element.append(...children)
  return element
}

/** A new element of a drawing. */
export function draw<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes,
  text = "",
): SVGElementTagNameMap[Tag] {
  const element = document.createElementNS(SVG, tag)
  set(element, attributes)
  if (text !== "") element.textContent = text
  return element
}

/** A coloured dot with a word beside it. */
export function makeWord(): { readonly box: HTMLElement; readonly word: HTMLElement } {
  const word = make("span")
  const dot = make("span", { class: "dot", "aria-hidden": "true" })
  return { box: make("div", {}, dot, word), word }
}

/** Sets the text, and leaves the page alone when it is the same. */
export function write(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** Sets the class, and leaves the page alone when it is the same. */
export function dress(element: HTMLElement, name: string): void {
  if (element.className !== name) element.className = name
}

function set(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value))
}
