//! What the pages with pictures look like, in light and in dark.

/// The style of a page.
pub const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #ffffff; --faint: #8884; --bad: #b3261e; --good: #146c2e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e3; --paper: #16181a; --bad: #ff8a80; --good: #7bd88f; } }
body { font: 15px/1.5 system-ui, Helvetica, Arial, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem;
       margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.verdict { font-size: 1.1rem; font-weight: 600; white-space: pre-line; } .refuted { color: var(--bad); } .holds { color: var(--good); }
.set-up, figcaption { opacity: .8; } code { font-size: .9em; overflow-wrap: anywhere; }
figure { margin: 1rem 0; overflow-x: auto; } svg { max-width: 100%; height: auto; color: var(--ink); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; } td, th { text-align: left; padding: .15rem .6rem;
border-bottom: 1px solid var(--faint); vertical-align: top; } .above td { color: var(--bad); font-weight: 600; }
";
