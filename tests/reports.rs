//! Tables of networks that nobody would write: names with every special character, and very many or very long ones.

use mupc::report::{table_csv, table_json, table_latex, table_markdown, table_text};
use mupc::{Named, Optimizer, ScalingTable};

fn table(spec: &str) -> ScalingTable {
    let network = mupc::compile(spec).unwrap_or_else(|errors| panic!("{errors}"));
    network.table(Named::Mup, Optimizer::Adam).unwrap_or_else(|errors| panic!("{errors}"))
}

fn hostile() -> ScalingTable {
    table(
        "scale wide_one = 64
         input x[3]
         target y[2]
         param w[wide_one, 3] as \"a|b, `c` 100% $d_e^f~g\\h{i}&j#\", v[2, wide_one] as \"\u{1b}[31m\"
         h[o] = w[o, i] * x[i]
         z[o] = v[o, i] * tanh(h)[i]
         loss mse(z, y)",
    )
}

/// The fields of a line of CSV, as RFC 4180 reads them.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' if quoted && rest.peek() == Some(&'"') => {
                fields.last_mut().unwrap().push(rest.next().unwrap())
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().unwrap().push(c),
        }
    }
    assert!(!quoted, "{line}");
    fields
}

#[test]
fn spreadsheets_read_every_name() {
    let text = table_csv::csv(&hostile(), None);
    let rows: Vec<_> = text.split_terminator("\r\n").map(fields).collect();
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{text}");
    assert_eq!(rows[1][2], "a|b, `c` 100% $d_e^f~g\\h{i}&j#");
}

#[test]
fn markdown_keeps_its_columns() {
    let text = table_markdown::markdown(&hostile(), None);
    let bars = |line: &str| line.replace(r"\|", "").matches('|').count();
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| bars(row) == bars(rows[0])), "{text}");
    assert!(text.contains(r"`` a\|b, `c` 100% $d_e^f~g\h{i}&j# ``"), "{text}");
}

#[test]
fn latex_is_balanced_and_escaped() {
    let text = table_latex::latex(&hostile(), None);
    let body: Vec<_> = text.lines().filter(|line| !line.starts_with('%')).collect();
    let body = body.join("\n");
    assert!(body.contains(r"$\mathit{wide\_one} \times 3$"), "{body}");
    let plain = body.replace(r"\_", "").replace(r"\\", "");
    assert_eq!(plain.matches('{').count(), plain.matches('}').count());
    assert_eq!(plain.matches('$').count() % 2, 0);
    assert!(!plain.contains('_') && !plain.contains('#'), "{plain}");
    let columns = |line: &&str| line.matches('&').count();
    let rows = body.lines().filter(|line| line.ends_with(r"\\") && !line.contains("multicolumn"));
    assert!(rows.map(|line| columns(&line)).all(|count| count == 7), "{body}");
}

#[test]
fn a_terminal_obeys_no_name() {
    let table = hostile();
    let text = table_text::text(&table, table_text::TextOptions { names: true, target: None });
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(!table_markdown::markdown(&table, None).contains('\u{1b}'));
    assert_eq!(table_json::json(&table, None)["parameters"][1]["external"], "\u{1b}[31m");
}

#[test]
fn a_network_without_scales_has_a_table() {
    let table = table("input x[3]  target y[1]  loss mse(linear(x, 1), y)");
    assert!(table.to_string().contains("nothing grows"), "{table}");
    assert!(table_latex::latex(&table, None).starts_with("% network"));
}

#[test]
fn many_parameters_are_only_many_lines() {
    let layers: String = (0..2000).map(|_| "x = linear(x, n)\n").collect();
    let table = table(&format!("scale n = 64  input x[n]  target y[n]\n{layers}loss mse(x, y)"));
    assert_eq!(table.to_string().lines().filter(|line| line.starts_with("linear")).count(), 2000);
    assert_eq!(table_csv::csv(&table, None).lines().count(), 2001);
}
