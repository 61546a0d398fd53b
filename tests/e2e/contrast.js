/** WCAG 2.2 contrast ratio of an element's text and the nearest opaque background behind it. */
(node) => {
  const linear = (c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const luminance = (color) => {
    const [r, g, b] = color.match(/[\d.]+/g).map((c) => linear(Number(c) / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element) => getComputedStyle(element).backgroundColor;
  let back = node;
  while (/, 0\)$|transparent/.test(background(back))) back = back.parentElement ?? back.getRootNode().host;
  const [light, dark] = [getComputedStyle(node).color, background(back)].map(luminance).sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
};
