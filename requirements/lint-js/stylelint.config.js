export default {
  extends: "stylelint-config-recommended",
  rules: {
    // it compares rules by their last word alone, which here match no element in common; what
    // outweighs what is told by the layers
    "no-descending-specificity": null,
  },
  reportNeedlessDisables: true,
};
