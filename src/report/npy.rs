//! Arrays in NumPy's file format, version 1.0 (NEP 1).

/// An array of float64 in rows, as the bytes of a file.
pub fn encoded(shape: &[usize], numbers: &[f64]) -> Vec<u8> {
    const START: usize = 10;
    let lengths: Vec<String> = shape.iter().map(usize::to_string).collect();
    let comma = if shape.len() == 1 { "," } else { "" };
    let mut header =
        format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({}{comma}), }}", lengths.join(", "));
    // The numbers begin at a multiple of 64; the header ends with a line end.
    let length = (START + header.len() + 1).next_multiple_of(64) - START;
    header.push_str(&" ".repeat(length - header.len() - 1));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_begin_at_a_multiple_of_64() {
        let bytes = encoded(&[2, 3], &[1.0; 6]);
        let length = u16::from_le_bytes([bytes[8], bytes[9]]) as usize;
        assert_eq!((10 + length) % 64, 0);
        assert_eq!(bytes.len(), 10 + length + 48);
        assert!(
            bytes[10..10 + length]
                .starts_with(b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }")
        );
        assert_eq!(&bytes[10 + length..10 + length + 8], 1.0_f64.to_le_bytes());
    }
}
