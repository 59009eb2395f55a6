//! What a coordinate check looks like: text, page and charts of a kept record (a perceptron under SP, few of its findings), as snapshots.

use mupc::check::record::Record;
use mupc::report::{check_html, check_text};

fn record() -> Record {
    serde_json::from_str(include_str!("reports/check.json")).unwrap()
}

#[test]
fn text() {
    insta::assert_snapshot!(check_text::text(&record(), false));
}

#[test]
fn text_with_everything() {
    insta::assert_snapshot!(check_text::text(&record(), true));
}

#[test]
fn page() {
    let page = check_html::html(&record());
    // The pictures have a snapshot of their own.
    let without: Vec<&str> = page.split("<svg").map(|part| part.rsplit("</svg>").next().unwrap()).collect();
    assert_eq!(without.len(), 1 + check_html::charts(&record()).len());
    assert!(
        !page.contains("http://")
            || page.matches("http").count() == page.matches("http://www.w3.org").count()
    );
    assert!(!page.contains("<script") && !page.contains("<link"));
    insta::assert_snapshot!(without.join("<svg>"));
}

#[test]
fn chart() {
    let charts = check_html::charts(&record());
    let names: Vec<&str> = charts.iter().map(|(name, _)| name.as_str()).collect();
    insta::assert_snapshot!(names.join("\n"));
    let (_, svg) = charts.iter().find(|(name, _)| name == "change.svg").unwrap();
    insta::assert_snapshot!(svg);
}

/// A record survives its own JSON.
#[test]
fn json_and_back() {
    let text = serde_json::to_string(&record()).unwrap();
    let again: Record = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
}
