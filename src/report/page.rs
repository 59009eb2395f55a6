//! Pages with pictures: one file each, without script, font or any other file, in light and in dark.

use std::fmt::Write;

use super::chart::escaped;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #ffffff; --faint: #8884; --bad: #b3261e; --good: #146c2e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e3; --paper: #16181a; --bad: #ff8a80; --good: #7bd88f; } }
body { font: 15px/1.5 system-ui, Helvetica, Arial, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem;
       margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.verdict { font-size: 1.1rem; font-weight: 600; white-space: pre-line; } .refuted { color: var(--bad); } .holds { color: var(--good); } .open { color: inherit; }
.set-up { white-space: pre-line; } .set-up, figcaption { opacity: .8; } code { font-size: .9em; overflow-wrap: anywhere; }
figure { margin: 1rem 0; overflow-x: auto; } svg { max-width: 100%; height: auto; color: var(--ink); }
.scroll { overflow-x: auto; margin: .8rem 0 1.4rem; } table { border-collapse: collapse; font-size: .85rem; } td, th { text-align: left; padding: .15rem .6rem;
border-bottom: 1px solid var(--faint); vertical-align: top; } .above td { color: var(--bad); font-weight: 600; }
";

/// How the colour of a verdict is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// What was asked holds.
    Holds,
    /// It does not.
    Refuted,
    /// It is not decided.
    Open,
}

/// What stands above a page.
pub struct Heading<'a> {
    /// What it is about.
    pub title: &'a str,
    /// Whether what was asked holds, in a sentence; none where nothing was judged.
    pub verdict: Option<(Judged, &'a str)>,
    /// What was run.
    pub set_up: &'a str,
    /// The command that repeats it.
    pub command: &'a str,
}

/// The beginning of a page.
pub fn begin(heading: &Heading) -> String {
    let title = escaped(heading.title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{title}</title><style>{STYLE}</style></head><body>\n\
         <h1>{title}</h1>\n"
    );
    if let Some((judged, verdict)) = heading.verdict {
        let class = match judged {
            Judged::Holds => "holds",
            Judged::Refuted => "refuted",
            Judged::Open => "open",
        };
        let _ = writeln!(out, "<p class=\"verdict {class}\">{}</p>", escaped(verdict));
    }
    let (set_up, command) = (escaped(heading.set_up), escaped(heading.command));
    let _ = writeln!(out, "<p class=\"set-up\">{set_up}</p>\n<p><code>{command}</code></p>");
    out
}

/// The end of a page.
pub const END: &str = "</body></html>\n";

/// A table of texts, below a row of headings.
pub fn table<H: AsRef<str>>(out: &mut String, head: &[H], rows: &[Vec<String>]) {
    let head: String = head.iter().map(|cell| format!("<th>{}", escaped(cell.as_ref()))).collect();
    let _ = writeln!(out, "<div class=\"scroll\"><table><tr>{head}</tr>");
    for row in rows {
        let row: String = row.iter().map(|cell| format!("<td>{}", escaped(cell))).collect();
        let _ = writeln!(out, "<tr>{row}</tr>");
    }
    out.push_str("</table></div>\n");
}
