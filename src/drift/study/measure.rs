//! Distances, alignment and the largest eigenvalue of kernels.

/// ||one - two|| / ||two||.
pub(super) fn distance(one: &[f64], two: &[f64]) -> f64 {
    let square: f64 = one.iter().zip(two).map(|(one, two)| (one - two).powi(2)).sum();
    (square / two.iter().map(|own| own * own).sum::<f64>()).sqrt()
}

/// A kernel of rows without channels as one of rows with them: channels are independent in the limit.
pub(super) fn spread_out(kernel: &[f64], channels: usize) -> Vec<f64> {
    let rows = (kernel.len() as f64).sqrt() as usize;
    let entry = |at: usize, other: usize| {
        let same = at % channels == other % channels;
        if same { kernel[at / channels * rows + other / channels] } else { 0.0 }
    };
    let all = rows * channels;
    (0..all)
        .flat_map(|at| (0..all).map(move |other| (at, other)))
        .map(|(at, other)| entry(at, other))
        .collect()
}

/// The centred alignment of a kernel with the targets (Cortes, Mohri & Rostamizadeh 2012, JMLR 13); the kernel of two examples is the mean
/// over outputs.
pub(super) fn alignment(kernel: &[f64], targets: &[f64], examples: usize) -> f64 {
    let (rows, entries) = (targets.len(), targets.len() / examples);
    let mean = |one: usize, two: usize| {
        let at = |entry: usize| kernel[(one * entries + entry) * rows + two * entries + entry];
        (0..entries).map(at).sum::<f64>() / entries as f64
    };
    let product = |one: usize, two: usize| {
        (0..entries).map(|entry| targets[one * entries + entry] * targets[two * entries + entry]).sum()
    };
    let (kernel, targets) = (centred(examples, mean), centred(examples, product));
    let dot = |one: &[f64], two: &[f64]| one.iter().zip(two).map(|(one, two)| one * two).sum::<f64>();
    dot(&kernel, &targets) / (dot(&kernel, &kernel) * dot(&targets, &targets)).sqrt()
}

/// A symmetric matrix less the means of its rows and columns.
pub(super) fn centred(count: usize, entry: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let all: Vec<f64> = (0..count * count).map(|at| entry(at / count, at % count)).collect();
    let rows: Vec<f64> = all.chunks_exact(count).map(|row| row.iter().sum::<f64>() / count as f64).collect();
    let mean = rows.iter().sum::<f64>() / count as f64;
    (0..count * count).map(|at| all[at] - rows[at / count] - rows[at % count] + mean).collect()
}

/// By power iteration from a vector that favours no direction; 30 rounds give two digits.
pub(super) fn largest_eigenvalue(kernel: &[f64]) -> f64 {
    let count = (kernel.len() as f64).sqrt() as usize;
    let mut vector: Vec<f64> = (0..count).map(|at| 1.0 + (at as f64 * 0.618_033_988_7).fract()).collect();
    let mut size = 0.0;
    for _ in 0..30 {
        let next: Vec<f64> = kernel
            .chunks_exact(count)
            .map(|row| row.iter().zip(&vector).map(|(row, own)| row * own).sum())
            .collect();
        let norm = |of: &[f64]| of.iter().map(|own| own * own).sum::<f64>().sqrt();
        size = norm(&next) / norm(&vector);
        let scale = norm(&next).max(f64::MIN_POSITIVE);
        vector = next.iter().map(|own| own / scale).collect();
    }
    size
}
