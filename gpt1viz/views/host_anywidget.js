// Jupyter: `payload` (bytes) comes from the kernel, `picked` goes back to it; `click` tells equal picks apart.
export default {
  render({ model, el }) {
    const view = mount(el, (pick) => {
      model.set("picked", { ...pick, click: ((model.get("picked") || {}).click || 0) + 1 });
      model.save_changes();
    });
    const update = () => view.update(model.get("payload"));
    model.on("change:payload", update);
    update();
    return () => {
      model.off("change:payload", update);
      view.destroy();
    };
  },
};
