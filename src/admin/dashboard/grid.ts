/**
 * A table that follows its data. A row keeps its elements for as long as its key is there, so that focus, selection
 * and the reading place of a screen reader stay where they are.
 */
import { at, dress, make, write } from "./dom.ts"

export interface Column<Data> {
  readonly name: string
  /** A class for its cells. */
  readonly style?: string
  /** Aligned as text and not as a number. */
  readonly isText?: boolean
  /** The one that names the row. */
  readonly isHead?: boolean
  /** Its name is for screen readers only. */
  readonly isSaid?: boolean
  /** Prepares a new cell, and returns what shows data in it. */
  readonly open: (cell: HTMLElement) => (data: Data) => void
}

/** A row of the table: a heading over those that follow, or one with data. */
export type Entry<Data> =
  | { readonly key: string; readonly data: Data }
  | { readonly key: string; readonly heading: string; readonly note: string }

interface Row<Data> {
  readonly element: HTMLElement
  readonly show: (entry: Entry<Data>) => void
}

export class Grid<Data> {
  readonly #rows = new Map<string, Row<Data>>()
  readonly #body = make("tbody", { role: "rowgroup" })

  constructor(
    id: string,
    readonly columns: readonly Column<Data>[],
  ) {
    const cells = columns.map(({ name, isText, isSaid }) => {
      const attributes = { scope: "col", role: "columnheader", class: isText ? "text" : "" }
      return make("th", attributes, isSaid ? make("span", { class: "said" }, name) : name)
    })
    const head = make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...cells))
    at(id).append(head, this.#body)
  }

  /** Shows these rows in this order, and no other. */
  show(entries: readonly Entry<Data>[]): void {
    const gone = new Set(this.#rows.keys())
    let next = this.#body.firstElementChild
    for (const entry of entries) {
      gone.delete(entry.key)
      const { element, show } = this.#rows.get(entry.key) ?? this.#add(entry)
      if (element === next) next = next.nextElementSibling
      else this.#body.insertBefore(element, next)
      show(entry)
    }
    for (const key of gone) {
      this.#rows.get(key)?.element.remove()
      this.#rows.delete(key)
    }
  }

  #add(entry: Entry<Data>): Row<Data> {
    const row = "data" in entry ? openRow(this.columns) : openHeading(this.columns.length)
    this.#rows.set(entry.key, row)
    return row
  }
}

function openRow<Data>(columns: readonly Column<Data>[]): Row<Data> {
  const element = make("tr", { role: "row" })
  const cells = columns.map((column) => {
    const cell = makeCell(column)
    element.append(cell)
    return column.open(cell)
  })
  const show = (entry: Entry<Data>): void => {
    if ("data" in entry) for (const each of cells) each(entry.data)
  }
  return { element, show }
}

function openHeading<Data>(columns: number): Row<Data> {
  const name = make("span", { class: "name" })
  const note = make("span", { class: "note" })
  const attributes = { scope: "rowgroup", role: "rowheader", colspan: columns }
  const cell = make("th", attributes, name, " ", note)
  const show = (entry: Entry<Data>): void => {
    if ("data" in entry) return
    write(name, entry.heading)
    write(note, entry.note)
  }
  return { element: make("tr", { role: "row", class: "group" }, cell), show }
}

function makeCell<Data>({ name, style, isText, isHead, isSaid }: Column<Data>): HTMLElement {
  const plain = { class: [style ?? "", isText ? "text" : ""].join(" ").trim() }
  if (isHead) return make("th", { scope: "row", role: "rowheader", ...plain })
  const label = isSaid || isText ? {} : { "data-label": name }
  return make("td", { role: "cell", ...plain, ...label })
}

/** A column of text that changes with the data. */
export function textColumn<Data>(
  name: string,
  read: (data: Data) => string,
  more: Partial<Column<Data>> = {},
): Column<Data> {
  return { name, open: (cell) => (data) => write(cell, read(data)), ...more }
}

/** A column of numbers. Zero is faint; `alarm` is the class of any other. */
export function numberColumn<Data>(
  name: string,
  read: (data: Data) => number | null,
  format: (value: number) => string,
  alarm = "",
): Column<Data> {
  const open = (cell: HTMLElement) => (data: Data) => {
    const value = read(data)
    write(cell, value === null ? "–" : format(value))
    dress(cell, value === 0 ? "zero" : value === null ? "" : alarm)
  }
  return { name, open }
}
