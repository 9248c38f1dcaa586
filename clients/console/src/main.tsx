import { render } from "preact";
import { App } from "./app";
import "./style/tokens.css";
import "./style/layout.css";
import "./style/parts.css";
import "./style/views.css";
import "./style/map.css";

const root = document.getElementById("root");
if (root) render(<App />, root);
