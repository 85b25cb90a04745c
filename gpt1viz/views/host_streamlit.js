// Streamlit components v2: called on every rerun with the payload as `data`; picks go out as the trigger "pick".
const mounted = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  let host = mounted.get(parentElement);
  if (!host) {
    const el = parentElement.appendChild(document.createElement("div"));
    host = { el, view: mount(el, (pick) => host.send("pick", pick)) };
    mounted.set(parentElement, host);
  }
  host.send = setTriggerValue;
  host.view.update(data);
  return () => {
    host.view.destroy();
    host.el.remove();
    mounted.delete(parentElement);
  };
}
