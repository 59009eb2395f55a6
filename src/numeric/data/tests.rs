//! Data sets on small graphs: what goes where, that it is what it should be, and what is said where it does not fit.

use super::*;
use crate::graph::Graph;

/// The graph of a spec that only declares data: the loss needs a parameter to be one.
fn graph(data: &str) -> Graph {
    let spec = format!("scale n = 64\n{data}\nparam w[n]\nloss sum(w)");
    crate::compile(&spec).unwrap_or_else(|errors| panic!("{errors}")).graph
}

fn at(graph: &Graph) -> Vec<Rational> {
    graph.scales.iter().map(|scale| scale.base).collect()
}

fn bound(source: &Source, data: &str) -> Bound {
    let graph = graph(data);
    bind(source, &graph, &at(&graph)).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(source: &Source, data: &str) -> String {
    let graph = graph(data);
    bind(source, &graph, &at(&graph)).unwrap_err().to_string()
}

fn pentateuch() -> Source {
    Source::Text(Text::pentateuch())
}

fn real(column: &Column) -> &[f32] {
    let Column::Real(entries) = column else { panic!("{column:?}") };
    entries
}

fn whole(column: &Column) -> &[u32] {
    let Column::Whole(entries) = column else { panic!("{column:?}") };
    entries
}

/// Every example's rows.
fn all(bound: &Bound) -> Vec<Column> {
    bound.batch(&(0..bound.examples()).collect::<Vec<_>>())
}

#[test]
fn digits_are_complete_and_of_unit_size() {
    let bound = bound(&Source::Digits, "input image[64]  target label in 10");
    assert_eq!(bound.examples(), 1797);
    let columns = all(&bound);
    let pixels = real(&columns[0]);
    let square = pixels.iter().map(|pixel| f64::from(*pixel).powi(2)).sum::<f64>() / pixels.len() as f64;
    assert!((square - 1.0).abs() < 1e-5, "{square}");
    // Class sizes as scikit-learn documents them.
    let counts = (0..10).map(|class| whole(&columns[1]).iter().filter(|own| **own == class).count());
    assert_eq!(counts.collect::<Vec<_>>(), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    assert_eq!(bound.describe(), "digits: 1797 images of 8 by 8 pixels, 10 classes");
}

#[test]
fn images_fill_squares_and_channels() {
    let flat = bound(&Source::Digits, "input image[64]  target label in 10").batch(&[3, 5]);
    for shape in ["[8, 8]", "[8, 8, 1]", "[64, 1]"] {
        let same = bound(&Source::Digits, &format!("input image{shape}  target label in 12")).batch(&[3, 5]);
        assert_eq!(same, flat, "{shape}");
    }
    let large = bound(&Source::Digits, "input image[16, 16, 3]  target label in 10").batch(&[3]);
    let (large, small) = (real(&large[0]), &real(&flat[0])[..64]);
    for (place, entry) in large.iter().enumerate() {
        let (row, column) = (place / 48, place / 3 % 16);
        assert_eq!(*entry, small[row / 2 * 8 + column / 2]);
    }
}

#[test]
fn targets_of_images_are_ink_and_levels() {
    let spec = "input image[8, 8]  target copy[8, 8], mask[8, 8] in 2, unit[10], label in 10";
    let columns = bound(&Source::Digits, spec).batch(&[0, 1]);
    let [image, copy, unit] = [0, 1, 3].map(|at| real(&columns[at]));
    let [mask, label] = [2, 4].map(|at| whole(&columns[at]));
    let most = copy.iter().copied().fold(0.0, f32::max);
    assert!(most <= 1.0 && most > 0.9);
    let ratio = image[2] / copy[2];
    assert!(image.iter().zip(copy).all(|(image, copy)| (image - ratio * copy).abs() < 1e-4));
    assert!(copy.iter().zip(mask).all(|(copy, mask)| (*mask == 1) == (*copy > 0.5)));
    assert_eq!(label, [0, 1]);
    assert_eq!(unit[..10], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(unit[11], 1.0);
}

#[test]
fn two_images_are_compared() {
    let bound = bound(&Source::Digits, "input left[64], right[64]  target same, equal in 2");
    let columns = all(&bound);
    let same = real(&columns[2]);
    assert!(same.iter().zip(whole(&columns[3])).all(|(same, equal)| *same == *equal as f32));
    assert_eq!(same.iter().sum::<f32>(), 899.0);
    assert_ne!(columns[0], columns[1]);
}

#[test]
fn what_the_digits_lack_is_said() {
    assert_eq!(
        refused(&Source::Digits, "dim pixels = 70  input image[pixels]  target label in 10"),
        "the spec wants the input `image[70]`, but the digits have images of 64 pixels (in `[64]`, or `[8, 8]`, `[16, 16]`, ... with \
         any number of channels) and 10 classes; try `--set pixels=64`, or `--data synthetic`, which fits every spec"
    );
    let classes = refused(&Source::Digits, "dim classes = 4  input image[64]  target label in classes");
    assert!(classes.contains("`label in 4`") && classes.contains("--set classes=10"), "{classes}");
    let three = refused(&Source::Digits, "input a[64], b[64], c[64]  target label in 10");
    assert!(three.contains("the input `c[64]`"), "{three}");
}

#[test]
fn a_text_says_what_comes_next() {
    let bound = bound(&pentateuch(), "input tokens[32] in 72  target next[32] in 80");
    let columns = bound.batch(&[0, 1, 2]);
    let (tokens, next) = (whole(&columns[0]), whole(&columns[1]));
    for row in 0..3 {
        assert_eq!(tokens[row * 32 + 1..][..31], next[row * 32..][..31]);
    }
    let text = Text::pentateuch();
    assert_eq!((text.alphabet(), text.len()), (72, 817_449));
    let begin: String = tokens[..9].iter().filter_map(|number| text.character(*number)).collect();
    assert_eq!(begin, "Genesis 1");
}

/// 0, 1, 2, ...: the places themselves.
fn alphabet() -> Source {
    let text: String = ('a'..='z').collect();
    Source::Text(Text::new("the alphabet", &text))
}

#[test]
fn a_text_hides_the_middle_and_goes_on_behind_the_source() {
    let rows = |data: &str| {
        bound(&alphabet(), data).batch(&[0]).iter().map(|c| whole(c).to_vec()).collect::<Vec<_>>()
    };
    assert_eq!(rows("input near[4] in 26  target word in 26"), [vec![0, 1, 3, 4], vec![2]]);
    let both = rows("input words[3] in 26, before[2] in 26  target answer[2] in 26");
    assert_eq!(both, [vec![0, 1, 2], vec![3, 4], vec![4, 5]]);
    let kinds = rows("input tokens[4] in 26, segment[4] in 2  target masked[4] in 26, is_next in 2");
    assert_eq!(kinds, [vec![0, 1, 2, 3], vec![0, 0, 1, 1], vec![1, 2, 3, 4], vec![1]]);
}

#[test]
fn every_window_is_an_example_once() {
    let bound = bound(&alphabet(), "input tokens[5] in 26  target next[5] in 26");
    let columns = all(&bound);
    let mut starts: Vec<u32> = whole(&columns[0]).chunks(5).map(|row| row[0]).collect();
    starts.sort_unstable();
    assert_eq!(starts, (0..20).collect::<Vec<u32>>());
}

#[test]
fn every_other_window_is_broken_where_that_is_asked() {
    let bound = bound(&pentateuch(), "input tokens[6] in 72  target next[6] in 72, follows in 2");
    let columns = bound.batch(&(0..100).collect::<Vec<_>>());
    assert_eq!(whole(&columns[2]).iter().sum::<u32>(), 50);
    let (tokens, next) = (whole(&columns[0]), whole(&columns[1]));
    assert!(tokens.chunks(6).zip(next.chunks(6)).all(|(tokens, next)| tokens[1..] == next[..5]));
}

#[test]
fn what_a_text_lacks_is_said() {
    let small = refused(&pentateuch(), "dim vocab = 50  input tokens[8] in vocab  target next[8] in vocab");
    assert!(small.contains("72 different characters, which 50 cannot hold"), "{small}");
    assert!(small.contains("`tokens[8] in 50`"), "{small}");
    let real = refused(&pentateuch(), "input x[8]  target next[8] in 72");
    assert!(real.contains("`x[8]`") && real.contains("--data synthetic"), "{real}");
    let long = refused(&alphabet(), "input tokens[30] in 26  target next[30] in 26");
    assert!(long.contains("26 characters") && long.contains("more than 31"), "{long}");
    let odd = refused(&alphabet(), "input tokens[5] in 26  target next[4] in 26");
    assert!(odd.contains("`next[4] in 26`"), "{odd}");
}

#[test]
fn synthetic_rows_depend_on_nothing_but_seed_and_example() {
    let spec = "input x[40], t[7] in 9  target y in 12, z[3], s[7] in 5, r[7, 2]";
    let bound = |seed| bound(&Source::Synthetic { seed }, spec);
    let one = bound(1);
    let (both, second) = (one.batch(&[0, 5]), one.batch(&[5]));
    for (both, second) in both.iter().zip(&second) {
        let matches = match (both, second) {
            (Column::Real(both), Column::Real(second)) => both[both.len() / 2..] == second[..],
            (Column::Whole(both), Column::Whole(second)) => both[both.len() / 2..] == second[..],
            _ => false,
        };
        assert!(matches, "{both:?} {second:?}");
    }
    assert_eq!(one.batch(&[7]), bound(1).batch(&[7]));
    assert_ne!(one.batch(&[7]), bound(2).batch(&[7]));
    assert_eq!(one.batch(&[7]), one.batch(&[7 + one.examples()]));
}

#[test]
fn synthetic_numbers_have_the_sizes_that_they_should() {
    let spec = "input x[40], t[7] in 9  target y in 12, z[3]";
    let columns = bound(&Source::Synthetic { seed: 3 }, spec).batch(&(0..2000).collect::<Vec<_>>());
    let x = real(&columns[0]);
    let mean = x.iter().sum::<f32>() / x.len() as f32;
    let square = x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32;
    assert!(mean.abs() < 0.02 && (square - 1.0).abs() < 0.02, "{mean} {square}");
    let count = |column: &Column, which| whole(column).iter().filter(|own| **own == which).count();
    assert!((0..9).all(|number| (1400..1720).contains(&count(&columns[1], number))));
    assert!((0..12).all(|class| count(&columns[2], class) > 20), "every class is taught");
    assert!(real(&columns[3]).iter().all(|z| (0.0..=1.0).contains(z)));
}

#[test]
fn a_teacher_is_a_function_of_what_it_sees() {
    let spec = "input t[30] in 4  target s[30] in 50, r[30]";
    let columns = bound(&Source::Synthetic { seed: 3 }, spec).batch(&[0, 1, 2]);
    let (t, s, r) = (whole(&columns[0]), whole(&columns[1]), real(&columns[2]));
    for (one, token) in t.iter().enumerate() {
        let same = t.iter().position(|other| other == token).unwrap();
        assert_eq!((s[one], r[one]), (s[same], r[same]), "the same token at another place");
    }
    assert!(s.iter().collect::<std::collections::BTreeSet<_>>().len() > 1);
}

#[test]
fn synthetic_rows_do_not_depend_on_the_width() {
    let graph = graph("input x[n]  target y in 10");
    let source = Source::Synthetic { seed: 0 };
    let [narrow, wide] =
        [64, 256].map(|n| bind(&source, &graph, &[Rational::integer(n)]).unwrap().batch(&[4]));
    assert_eq!(real(&narrow[0])[..], real(&wide[0])[..64]);
    assert_eq!(narrow[1], wide[1]);
}

#[test]
fn lengths_that_a_source_sets() {
    let set = |source: &Source, data: &str| {
        let found = lengths(source, &graph(data));
        found.iter().map(|(name, length)| format!("{name}={length}")).collect::<Vec<_>>().join(" ")
    };
    let flat = "dim pixels = 784, classes = 100  input image[pixels]  target label in classes";
    assert_eq!(set(&Source::Digits, flat), "pixels=64 classes=10");
    assert_eq!(set(&pentateuch(), flat), "classes=72");
    assert_eq!(set(&Source::Synthetic { seed: 0 }, flat), "");
    let copy = "dim pixels = 784, wanted = 9  input image[pixels]  target copy[pixels], v[wanted]";
    assert_eq!(set(&Source::Digits, copy), "pixels=64 wanted=10");
    let square = "dim side = 32, colors = 3, k = 100  input image[side, side, colors]  target label in k";
    assert_eq!(set(&Source::Digits, square), "side=8 colors=1 k=10");
    let tokens = "dim vocab = 50257, seq = 1024, kinds = 2  input t[seq] in vocab, s[seq] in kinds";
    assert_eq!(set(&pentateuch(), tokens), "vocab=72");
}

#[test]
fn lengths_must_be_whole() {
    let graph = graph("input x[n/64]  target y[1]");
    let error = bind(&Source::Digits, &graph, &[Rational::integer(100)]).unwrap_err();
    assert_eq!(error.to_string(), "the length `n/64` of `x` is not a whole number here");
}

#[test]
fn bound_data_can_be_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Bound>();
    shared::<Source>();
}
