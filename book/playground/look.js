// The colours and the font of the pictures: those of the style sheet, in light or dark.

/** Read them into `look`, which all pictures share. */
export function readColors(app, look) {
  const style = getComputedStyle(app), color = (name) => style.getPropertyValue(`--${name}`).trim();
  Object.assign(look, { ink: color("ink"), surface: color("paper"), grey: color("muted"),
                        line: color("faint"), alarm: color("alarm"), focus: color("focus") });
  Object.assign(look, { lines: [color("first"), color("second")], family: style.fontFamily });
}
