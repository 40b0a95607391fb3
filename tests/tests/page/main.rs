//! The page in a real browser: it is opened, clicked through, looked at on a phone, in the dark and on paper. Takes root, the `ip` command, Chromium
//! and its driver. Pictures of it stay in `target/screenshots`.

mod browser;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use annotator_common::packet::{protocol, tcp};
use annotator_tests::agent::{Agent, annotator, eventually, finish};
use annotator_tests::captures::pcap;
use annotator_tests::frames::{self, Ipv4};
use annotator_tests::veth::{HERE, Wire};
use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tempfile::TempDir;
use thirtyfour::{Key, WebElement};

use browser::{Browser, PHONE};

/// What somebody might call a host, hoping for a careless page.
const HOSTILE_NAME: &str = "<script>document.title='taken'</script>\"onload=x";
/// The name of a capture, likewise; it also turns the direction of writing.
const HOSTILE_FILE: &str = "<img src=x onerror=alert(1)>\u{202e}\u{7}'\".pcap";
/// An entry with such a title.
const HOSTILE_RULES: &str = r#"
    [[entry]]
    id = "port.4711"
    title = "</h3><script>document.title='taken'</script>"
    verdict = "attack"
    confidence = "likely"
    explanation = "<iframe src=//example.invalid></iframe> & `<b>code</b>`"
    looks_like = "' onfocus='alert(1)"
    advice = "Nothing."
    references = ["RFC 791\" onclick=\"alert(1)"]
    [[entry.match]]
    proto = "udp"
    dst_port = [4711]
"#;

/// A scan, a question for a hostile name, a packet that the hostile rule is about, ICMP.
fn traffic() -> Vec<Vec<u8>> {
    let scanner = Ipv4 { protocol: protocol::TCP, ttl: 52, ..Ipv4::default() };
    let mut frames: Vec<_> = [21, 22, 23, 25, 53, 80, 110, 111, 113, 139, 143, 443, 445, 3306, 3389, 5900, 8080]
        .iter()
        .map(|port| scanner.frame(&frames::tcp_segment(40_000, *port, tcp::SYN, &[])))
        .collect();
    let mut question = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, HOSTILE_NAME.len() as u8];
    question.extend(HOSTILE_NAME.as_bytes());
    question.extend([0, 0, 1, 0, 1]);
    frames.push(Ipv4::default().frame(&frames::udp_datagram(40_001, 53, &question)));
    frames.push(Ipv4::default().frame(&frames::udp_datagram(40_002, 4711, b"hello")));
    let ping = Ipv4 { protocol: protocol::ICMP, ..Ipv4::default() };
    frames.push(ping.frame(&frames::icmp_message(8, 0, b"ping")));
    frames
}

/// The page of that traffic.
fn page(folder: &TempDir) -> Result<PathBuf> {
    let [capture, rules, page] = [HOSTILE_FILE, "rules.toml", "page.html"].map(|name| folder.path().join(name));
    fs::write(&capture, pcap(&traffic()))?;
    fs::write(&rules, HOSTILE_RULES)?;
    let mut command = annotator(["report"]);
    command.arg(&capture).arg("--html").arg(&page).arg("--rules").arg(&rules).arg("--local-address=9.10.11.12");
    finish(&mut command)?.expect_success()?;
    Ok(page)
}

/// Opens the page of that traffic in a browser, and fails if the browser has anything to complain of in the end.
fn on_the_page(work: impl AsyncFnOnce(&Browser) -> Result<()>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let page = page(&folder)?;
    Browser::with(async |browser| {
        browser.open(&page).await?;
        work(browser).await?;
        browser.expect_peace().await
    })
}

async fn is_shown(element: &WebElement) -> Result<bool> {
    Ok(element.is_displayed().await?)
}

#[test]
fn a_finding_unfolds_to_the_fields_of_its_packets() -> Result<()> {
    on_the_page(async |browser| {
        let answer = browser.text(&browser.find("h1").await?).await?;
        ensure!(answer.starts_with("Yes, look at this"), "{answer}");
        browser.picture("report-light.png").await?;

        let scan = browser.find(".finding.reconnaissance").await?;
        let inside = async |selector: &str| scan.find(thirtyfour::By::Css(selector)).await;
        let explanation = inside("div > p").await?;
        ensure!(!is_shown(&explanation).await?, "shown before it is asked for");
        inside("summary").await?.click().await?;
        ensure!(is_shown(&explanation).await? && !browser.text(&explanation).await?.is_empty());
        let text = browser.text(&scan).await?;
        for part in ["Evidence", "Looks like", "What to do", "5.6.7.8", "9.10.11.12", "Ethernet", "IPv4", "TCP"] {
            ensure!(text.contains(part), "{part} is not in {text}");
        }

        // Click a field, then go on by keyboard.
        let fields = scan.find_all(thirtyfour::By::Css(".packet:first-of-type .field")).await?;
        let (source, destination) = (&fields[1], &fields[3 + 9]);
        ensure!(!browser.text(source).await?.contains("source"), "told before it is asked for");
        source.click().await?;
        ensure!(
            browser.text(source).await? == "02 00 00 00 00 02 source 02:00:00:00:00:02",
            "{:?}",
            browser.text(source).await?
        );
        for _ in 0..11 {
            let chosen = inside(".packet input:checked").await?;
            chosen.send_keys(Key::Right + "").await?;
        }
        ensure!(
            browser.text(destination).await?.ends_with("destination 9.10.11.12"),
            "{:?}",
            browser.text(destination).await?
        );
        ensure!(!browser.text(source).await?.contains("source"), "one field at a time");
        scan.scroll_into_view().await?;
        browser.picture("report-finding.png").await?;

        // The same as a table.
        inside(".legend summary").await?.click().await?;
        let table = browser.text(&inside(".legend table").await?).await?;
        ensure!(table.contains("time to live 52 34") && table.contains("flags SYN 02"), "{table}");

        // By keyboard alone.
        inside("summary").await?.send_keys(Key::Enter + "").await?;
        ensure!(!is_shown(&explanation).await?, "not folded by Enter");
        Ok(())
    })
}

#[test]
fn a_source_leads_to_its_findings() -> Result<()> {
    on_the_page(async |browser| {
        let link = browser.find(".sources a[href*=finding]").await?;
        let title = browser.text(&link).await?;
        link.click().await?;
        let unfolded = browser.find(".finding[open] h3").await?;
        ensure!(is_shown(&unfolded).await? && browser.text(&unfolded).await? == title, "{title}");
        Ok(())
    })
}

#[test]
fn charts_have_the_figures_beside_them() -> Result<()> {
    on_the_page(async |browser| {
        let text = browser.text(&browser.find("main").await?).await?;
        for part in
            ["Packets over time", "Destination ports", "tcp/22 ssh 1", "icmp 8/0 echo-request 1", "17 SYNs", "Coverage"]
        {
            ensure!(text.contains(part), "{part} is not in {text}");
        }
        let bars = browser.look("return [...document.querySelectorAll('.rates rect, section > .scroll .bar rect')].map(r => r.getBoundingClientRect().width)").await?;
        let bars = bars.as_array().context("no bars")?;
        ensure!(bars.len() > 20 && bars.iter().all(|width| width.as_f64() > Some(0.0)), "{bars:?}");
        Ok(())
    })
}

#[test]
fn what_comes_from_the_network_is_shown_and_does_nothing() -> Result<()> {
    on_the_page(async |browser| {
        browser.look("document.querySelectorAll('details').forEach(d => d.open = true)").await?;
        let text = browser.text(&browser.find("body").await?).await?;
        let shown = [
            "<img src=x onerror=alert(1)>\u{fffd}\u{fffd}'\".pcap",
            "<script>document.title='taken'</script>",
            "<iframe src=//example.invalid>",
            "' onfocus='alert(1)",
        ];
        for part in shown {
            ensure!(text.contains(part), "{part} is not in {text}");
        }
        ensure!(
            browser.find_all("script, img, iframe, b, [onload], [onclick], [onfocus], [onerror]").await?.is_empty()
        );
        let title = browser.look("return document.title").await?;
        ensure!(title.as_str().is_some_and(|title| title.ends_with(".pcap – annotator")), "{title}");
        Ok(())
    })
}

#[test]
fn it_is_readable_on_a_phone() -> Result<()> {
    on_the_page(async |browser| {
        browser.size(PHONE).await?;
        browser.picture("report-phone.png").await?;
        browser.look("document.querySelectorAll('details').forEach(d => d.open = true)").await?;
        let widths = browser.look("return [document.documentElement.scrollWidth, innerWidth]").await?;
        ensure!(widths == json!([PHONE.0, PHONE.0]), "the page is wider than the phone: {widths}");
        // What a finger has to meet.
        let smallest = browser.look("return Math.min(...[...document.querySelectorAll('.finding > summary')].map(s => s.getBoundingClientRect().height))").await?;
        ensure!(smallest.as_f64() >= Some(44.0), "{smallest}");
        Ok(())
    })
}

/// The lowest contrast between a text and what lies behind it, as WCAG 2 has it, and that text.
const LOWEST_CONTRAST: &str = r"
    const channels = colour => colour.match(/[\d.]+/g).map(Number);
    const light = ([r, g, b]) => {
        const [R, G, B] = [r, g, b].map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * R + 0.7152 * G + 0.0722 * B;
    };
    const behind = element => {
        for (; element; element = element.parentElement) {
            const c = channels(getComputedStyle(element).backgroundColor);
            if (c.length === 3 || c[3] === 1) return c;
        }
        return [255, 255, 255];
    };
    let lowest = [21, ''];
    for (const element of document.querySelectorAll('body *')) {
        const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
        if (!own || element.closest('svg')) continue;
        const [a, b] = [light(channels(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
        const contrast = (a + 0.05) / (b + 0.05);
        if (contrast < lowest[0]) lowest = [contrast, element.outerHTML.slice(0, 200)];
    }
    return lowest;
";

#[test]
fn it_is_legible_by_day_and_by_night() -> Result<()> {
    on_the_page(async |browser| {
        let mut papers = BTreeSet::new();
        for scheme in ["light", "dark"] {
            browser.media("screen", scheme).await?;
            let paper = browser.look("return getComputedStyle(document.body).backgroundColor").await?;
            papers.insert(paper.to_string());
            let lowest = browser.look(LOWEST_CONTRAST).await?;
            ensure!(lowest[0].as_f64() >= Some(4.5), "{scheme}: {lowest}");
        }
        browser.picture("report-dark.png").await?;
        ensure!(papers.len() == 2, "the same paper by night: {papers:?}");
        Ok(())
    })
}

#[test]
fn it_is_whole_on_paper_and_has_an_outline() -> Result<()> {
    on_the_page(async |browser| {
        const VISIBLE: &str = "return [...document.querySelectorAll('.finding > div')].map(d => d.checkVisibility({contentVisibilityAuto: true}))";
        let folded = browser.look(VISIBLE).await?;
        ensure!(folded.as_array().is_some_and(|all| all.iter().all(|one| one == false)), "{folded}");
        browser.media("print", "light").await?;
        let printed = browser.look(VISIBLE).await?;
        ensure!(printed.as_array().is_some_and(|all| all.iter().all(|one| one == true)), "{printed}");

        // Who cannot see the page goes by its headings, landmarks and table heads.
        let levels = browser
            .look("return [...document.querySelectorAll('h1, h2, h3, h4')].map(h => Number(h.tagName[1]))")
            .await?;
        let levels: Vec<i64> = serde_json::from_value(levels)?;
        ensure!(levels[0] == 1 && levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
        ensure!(browser.find_all("main article > header").await?.len() == 1);
        ensure!(browser.find_all("th:not([scope]), table:not(:has(thead)), :is(svg, input):not([aria-label], [aria-hidden] *, label *)").await?.is_empty());
        Ok(())
    })
}

/// Reads the page, which must be whole whenever that happens.
fn whole(page: &Path) -> Result<Option<(u64, String)>> {
    let Ok(file) = fs::File::open(page) else { return Ok(None) };
    let inode = file.metadata()?.ino();
    let text = std::io::read_to_string(file)?;
    ensure!(text.starts_with("<!DOCTYPE html>") && text.ends_with("</html>"), "half a page: {text}");
    Ok(Some((inode, text)))
}

#[test]
fn a_running_agent_replaces_its_page() -> Result<()> {
    let wire = Wire::new(1500)?;
    let second = wire.add("second", 1500)?;
    let folder = tempfile::tempdir()?;
    let page = folder.path().join("page.html");
    let html = format!("--html={}", page.display());
    let agent = Agent::start(&wire.here, &[HERE, "second"], &[&html, "--interval=50ms", "--local-address=9.10.11.12"])?;
    eventually("no page of both", || Ok(whole(&page)?.filter(|(_, text)| text.contains("href=\"#second\""))))?;

    Browser::with(async |browser| {
        browser.open(&page).await?;
        let answers = async || -> Result<Vec<String>> {
            let mut answers = Vec::new();
            for heading in browser.find_all("h1").await? {
                answers.push(browser.text(&heading).await?);
            }
            Ok(answers)
        };
        let quiet = answers().await?;
        ensure!(quiet.len() == 2 && quiet.iter().all(|answer| answer.starts_with("Nothing arrived")), "{quiet:?}");
        for frame in traffic() {
            second.send(&frame)?;
        }
        // Somebody reads all the time, and somebody reloads.
        let mut inodes = BTreeSet::new();
        eventually("the scan does not come to the page", || {
            let (inode, text) = whole(&page)?.context("the page is gone")?;
            inodes.insert(inode);
            Ok((inodes.len() > 5 && text.contains("class=\"finding reconnaissance\"")).then_some(()))
        })?;
        browser.reload().await?;
        let seen = answers().await?;
        ensure!(
            seen[0].starts_with("Nothing arrived") && seen[1].starts_with("Somebody is looking around"),
            "{seen:?}"
        );
        browser.find("nav a[href='#second']").await?.click().await?;
        browser.picture("run.png").await?;
        browser.expect_peace().await
    })?;

    agent.interrupt()?.expect_success()?;
    let left: Vec<_> = fs::read_dir(folder.path())?.collect::<Result<_, _>>()?;
    ensure!(left.len() == 1, "more than the page is left: {left:?}");
    ensure!(whole(&page)?.is_some());
    Ok(())
}
