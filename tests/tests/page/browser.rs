//! Headless Chromium, driven as a person would: what is shown, what is clicked, and what the browser has to complain of.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::prelude::*;
use thirtyfour::{BrowserLogEntry, ChromeCapabilities};

/// A small phone, in CSS pixels.
pub const PHONE: (u32, u32) = (360, 740);
const DESKTOP: (u32, u32) = (1100, 900);

/// A browser with one page.
pub struct Browser {
    driver: WebDriver,
}

/// `chromedriver`, which ends with this value.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start() -> Result<Self> {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start `chromedriver`, of the package chromium-driver")?;
        let output = BufReader::new(process.stdout.take().context("no standard output")?);
        let mut server = Server { process, url: String::new() };
        for line in output.lines() {
            if let Some(port) = line?.split("started successfully on port ").nth(1) {
                server.url = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
                return Ok(server);
            }
        }
        anyhow::bail!("chromedriver has ended")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // There is nobody to tell.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Browser {
    /// Does something with a fresh browser, and closes it whatever came of it.
    pub fn with<T>(work: impl AsyncFnOnce(&Browser) -> Result<T>) -> Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let server = Server::start()?;
            let profile = tempfile::tempdir()?;
            let driver = WebDriver::new(&server.url, capabilities(&profile)?).await.context("cannot start chromium")?;
            let browser = Browser { driver };
            let outcome = match browser.size(DESKTOP).await {
                Ok(()) => work(&browser).await,
                Err(error) => Err(error),
            };
            browser.driver.quit().await?;
            outcome
        })
    }

    /// Opens a file.
    pub async fn open(&self, path: &Path) -> Result<()> {
        self.driver.goto(format!("file://{}", path.display())).await.context("cannot open the page")
    }

    /// Loads the page again.
    pub async fn reload(&self) -> Result<()> {
        Ok(self.driver.refresh().await?)
    }

    /// What a script, which belongs to the test and not to the page, returns.
    pub async fn look(&self, script: &str) -> Result<Value> {
        Ok(self.driver.execute(script, []).await.with_context(|| script.to_owned())?.json().clone())
    }

    /// The first element that a CSS selector finds.
    pub async fn find(&self, selector: &str) -> Result<WebElement> {
        self.driver.find(By::Css(selector)).await.with_context(|| format!("{selector} is not on the page"))
    }

    /// The elements that a CSS selector finds.
    pub async fn find_all(&self, selector: &str) -> Result<Vec<WebElement>> {
        Ok(self.driver.find_all(By::Css(selector)).await?)
    }

    /// Makes the window as large as that.
    pub async fn size(&self, (width, height): (u32, u32)) -> Result<()> {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.tell("Emulation.setDeviceMetricsOverride", size).await?;
        self.drawn("true").await
    }

    /// Has the page believe that somebody prefers `light` or `dark`, and looks at it on a `screen` or in `print`.
    pub async fn media(&self, media: &str, scheme: &str) -> Result<()> {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.tell("Emulation.setEmulatedMedia", json!({"media": media, "features": features})).await?;
        self.drawn(&format!("matchMedia('{media} and (prefers-color-scheme: {scheme})').matches")).await
    }

    /// Waits until a condition of the page holds and the browser has drawn a frame since: what it is told, it answers before it does it.
    async fn drawn(&self, condition: &str) -> Result<()> {
        let frame = "requestAnimationFrame";
        let wait = format!(
            "const done = arguments[0]; (function look() {{ {frame}({condition} ? () => {frame}(() => done()) : look); }})()"
        );
        self.driver.execute_async(wait, []).await.with_context(|| format!("never drawn with {condition}"))?;
        Ok(())
    }

    async fn tell(&self, method: &str, parameters: Value) -> Result<()> {
        self.driver.cdp().send_raw(method, parameters).await.with_context(|| method.to_owned())?;
        Ok(())
    }

    /// The text that an element shows, with spaces alone between its words.
    pub async fn text(&self, element: &WebElement) -> Result<String> {
        Ok(element.text().await?.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Keeps a picture of what is in the window below `target/`, for people to look at.
    pub async fn picture(&self, name: &str) -> Result<PathBuf> {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target");
        let folder = target.join("screenshots");
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(name);
        self.driver.screenshot(&path).await?;
        // They are of whom the folder is, who may have started the tests through sudo and wants to delete it.
        let owner = target.metadata()?;
        for made in [&folder, &path] {
            chown(made, Some(owner.uid()), Some(owner.gid()))?;
        }
        ensure!(path.metadata()?.len() > 5000, "{} shows nothing", path.display());
        Ok(path)
    }

    /// Fails if the browser had anything to complain of, or has asked for anything but the page itself, since this was last asked.
    pub async fn expect_peace(&self) -> Result<()> {
        let complaints = self.log("browser").await?;
        ensure!(complaints.is_empty(), "the console says: {complaints:?}");
        for entry in self.log("performance").await? {
            let event: Value = serde_json::from_str(&entry.message)?;
            let event = &event["message"];
            let request = &event["params"];
            // The browser begins with a page of its own.
            let of_page = request["documentURL"].as_str().is_some_and(|url| url.starts_with("file:"));
            if event["method"] == "Network.requestWillBeSent" && of_page {
                let url = request["request"]["url"].as_str().unwrap_or_default();
                let own = request["type"] == "Document" && url.starts_with("file:") || url == "data:,";
                ensure!(own, "the page asks for {url}");
            }
        }
        Ok(())
    }

    async fn log(&self, kind: &str) -> Result<Vec<BrowserLogEntry>> {
        Ok(self.driver.get_log(kind).await?)
    }
}

fn capabilities(profile: &TempDir) -> Result<ChromeCapabilities> {
    let mut capabilities = DesiredCapabilities::chrome();
    for argument in [
        "--headless",
        // Tests run as root, whom Chromium's sandbox does not take.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
    ] {
        capabilities.add_arg(argument)?;
    }
    capabilities.add_arg(&format!("--user-data-dir={}", profile.path().display()))?;
    capabilities.set("goog:loggingPrefs", json!({"browser": "ALL", "performance": "ALL"}))?;
    Ok(capabilities)
}
