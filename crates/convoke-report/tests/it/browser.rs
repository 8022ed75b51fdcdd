//! A real Chromium, driven over the DevTools protocol.
//!
//! It ends with the test: when the value is dropped, and by the kernel when the test is killed. What it writes, also what it
//! leaves behind, is in a folder that goes with it.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

/// After so long without a word Chromium hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) dark: bool,
    pub(crate) touch: bool,
}

pub(crate) const DESK: Screen = Screen { width: 1280, height: 900, dark: false, touch: false };
pub(crate) const PHONE: Screen = Screen { width: 390, height: 800, dark: false, touch: true };

/// A Chromium with one page.
pub(crate) struct Browser {
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    session: Option<String>,
    next: u64,
    events: VecDeque<Value>,
    child: Child,
    /// Reads what it and its processes say, until the last of them has ended.
    output: Option<JoinHandle<()>>,
    folder: TempDir,
}

impl Browser {
    pub(crate) fn start() -> Browser {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio"])
            .args(["--disable-dev-shm-usage", "--remote-debugging-port=0", "about:blank"])
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            // Sockets and folders of its own, which it does not always remove.
            .env("TMPDIR", folder.path())
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("chromium and setpriv are there: cargo xtask setup");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("DevTools listening on ").map(str::to_owned))
            .expect("chromium says where it listens");
        // What else it says is read, so that it never waits for room.
        let output = Some(std::thread::spawn(move || lines.for_each(drop)));
        let (mut socket, _) = tungstenite::connect(&address).unwrap();
        if let MaybeTlsStream::Plain(stream) = socket.get_mut() {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        let events = VecDeque::new();
        let mut browser = Browser { socket, session: None, next: 0, events, child, output, folder };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// One command, and its answer.
    #[track_caller]
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut command = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        self.socket.send(Message::text(command.to_string())).unwrap();
        loop {
            let said = self.read();
            if said["id"] == id {
                assert!(said["error"].is_null(), "{method}: {}", said["error"]);
                return said["result"].clone();
            }
            self.events.push_back(said);
        }
    }

    fn read(&mut self) -> Value {
        loop {
            match self.socket.read().expect("chromium answers") {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                _ => continue,
            }
        }
    }

    /// Waits for an event of the page.
    fn event(&mut self, method: &str) -> Value {
        loop {
            if let Some(place) = self.events.iter().position(|event| event["method"] == method) {
                return self.events.remove(place).unwrap();
            }
            let said = self.read();
            self.events.push_back(said);
        }
    }

    /// Opens a file, and waits until it is loaded and drawn.
    pub(crate) fn open(&mut self, file: &Path, fragment: &str, screen: Screen) {
        self.load(file, fragment, screen);
        self.settle();
    }

    /// Opens a file, and waits until it is loaded.
    pub(crate) fn load(&mut self, file: &Path, fragment: &str, screen: Screen) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": screen.width, "height": screen.height, "deviceScaleFactor": 1, "mobile": screen.touch}),
        );
        self.call("Emulation.setTouchEmulationEnabled", json!({"enabled": screen.touch}));
        let scheme = if screen.dark { "dark" } else { "light" };
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
        self.events.clear();
        // A page that differs in its fragment alone would not be loaded again.
        self.call("Page.navigate", json!({"url": "about:blank"}));
        self.event("Page.loadEventFired");
        self.events.clear();
        self.call("Page.navigate", json!({"url": format!("file://{}{fragment}", file.display())}));
        self.event("Page.loadEventFired");
    }

    /// The value of an expression; a promise is waited for.
    #[track_caller]
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let answer = self.call(
            "Runtime.evaluate",
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true}),
        );
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// Until what is asked for is drawn.
    pub(crate) fn settle(&mut self) {
        self.eval("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))");
    }

    /// Until an expression is true.
    #[track_caller]
    pub(crate) fn until(&mut self, expression: &str) {
        self.eval(&format!(
            "new Promise((done) => {{ const look = () => ({expression}) ? done(1) : requestAnimationFrame(look); look(); }})"
        ));
    }

    pub(crate) fn click(&mut self, x: f64, y: f64) {
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            self.call(
                "Input.dispatchMouseEvent",
                json!({"type": kind, "x": x, "y": y, "button": if kind == "mouseMoved" { "none" } else { "left" }, "clickCount": 1}),
            );
        }
        self.settle();
    }

    /// Drags from here to there, with Shift or without.
    pub(crate) fn drag(&mut self, from: (f64, f64), to: (f64, f64), shift: bool) {
        let modifiers = if shift { 8 } else { 0 };
        let steps = [("mouseMoved", from), ("mousePressed", from), ("mouseMoved", to), ("mouseReleased", to)];
        for (kind, (x, y)) in steps {
            self.call(
                "Input.dispatchMouseEvent",
                json!({"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1, "modifiers": modifiers}),
            );
        }
        self.settle();
    }

    pub(crate) fn tap(&mut self, x: f64, y: f64) {
        self.call("Input.dispatchTouchEvent", json!({"type": "touchStart", "touchPoints": [{"x": x, "y": y}]}));
        self.call("Input.dispatchTouchEvent", json!({"type": "touchEnd", "touchPoints": []}));
        self.settle();
    }

    /// Two fingers around a place, from so far apart to so far.
    pub(crate) fn pinch(&mut self, (x, y): (f64, f64), from: f64, to: f64) {
        let points =
            |apart: f64| json!([{"x": x - apart / 2.0, "y": y, "id": 0}, {"x": x + apart / 2.0, "y": y, "id": 1}]);
        self.call("Input.dispatchTouchEvent", json!({"type": "touchStart", "touchPoints": points(from)}));
        for step in 1..=8 {
            let apart = from + (to - from) * f64::from(step) / 8.0;
            self.call("Input.dispatchTouchEvent", json!({"type": "touchMove", "touchPoints": points(apart)}));
        }
        self.call("Input.dispatchTouchEvent", json!({"type": "touchEnd", "touchPoints": []}));
        self.settle();
    }

    /// Where it keeps its files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A picture of what is in view, as PNG.
    #[allow(dead_code)] // of the benchmark
    pub(crate) fn picture(&mut self) -> Vec<u8> {
        let answer = self.call("Page.captureScreenshot", json!({"format": "png"}));
        base64::engine::general_purpose::STANDARD.decode(answer["data"].as_str().unwrap()).unwrap()
    }

    pub(crate) fn wheel(&mut self, x: f64, y: f64, turn: f64, control: bool) {
        let modifiers = if control { 2 } else { 0 };
        self.call(
            "Input.dispatchMouseEvent",
            json!({"type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": turn, "modifiers": modifiers}),
        );
        self.settle();
    }

    /// Presses a key by its name.
    pub(crate) fn key(&mut self, key: &str) {
        let text = if key.chars().count() == 1 { key } else { "" };
        self.call("Input.dispatchKeyEvent", json!({"type": "keyDown", "key": key, "text": text}));
        self.call("Input.dispatchKeyEvent", json!({"type": "keyUp", "key": key}));
        self.settle();
    }

    /// Types a text where the focus is.
    pub(crate) fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text}));
    }

    /// The page on paper.
    pub(crate) fn pdf(&mut self) -> Vec<u8> {
        let answer = self.call("Page.printToPDF", json!({"printBackground": true}));
        base64::engine::general_purpose::STANDARD.decode(answer["data"].as_str().unwrap()).unwrap()
    }

    /// What went wrong since the page was opened: errors, warnings, anything asked of the network.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        self.settle();
        let mut out = Vec::new();
        for event in &self.events {
            let parameters = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Runtime.exceptionThrown" => out.push(format!("exception: {}", parameters["exceptionDetails"])),
                "Runtime.consoleAPICalled" => out.push(format!("console: {}", parameters["args"])),
                "Log.entryAdded" => out.push(format!("log: {}", parameters["entry"])),
                "Network.requestWillBeSent" => {
                    let url = parameters["request"]["url"].as_str().unwrap_or_default();
                    if parameters["type"] != "Document" && !url.starts_with("data:") {
                        out.push(format!("request: {url}"));
                    }
                }
                _ => {}
            }
        }
        out
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.session = None;
        // Asked first, so that it ends its own processes; then it has to.
        let _ = self.socket.send(Message::text(json!({"id": 0, "method": "Browser.close"}).to_string()));
        while self.socket.read().is_ok() {}
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Whoever of them is the last may still write into the folder.
        if let Some(output) = self.output.take() {
            let _ = output.join();
        }
    }
}
