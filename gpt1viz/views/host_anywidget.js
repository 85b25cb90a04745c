// Jupyter: `payload` (bytes) comes from the kernel, `picked` goes back to it.
export default {
  render({ model, el }) {
    const view = mount(el, (pick) => {
      model.set("picked", pick);
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
