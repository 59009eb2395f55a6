//! The allocator of the program under pieces that grow and shrink past the size of a huge page.

use mupc::numeric::pages::HugePages;

#[global_allocator]
static ALLOCATOR: HugePages = HugePages;

const HUGE: usize = 2 << 20;

#[test]
fn pieces_keep_their_numbers_when_they_grow_and_shrink() {
    let mut numbers: Vec<u32> = Vec::new();
    let own = |at: usize| (at as u32).wrapping_mul(2_654_435_761);
    for length in [10, HUGE / 8, HUGE / 4 + 1, HUGE, 2 * HUGE] {
        (numbers.len()..length).for_each(|at| numbers.push(own(at)));
        numbers.shrink_to_fit();
    }
    for length in [HUGE, HUGE / 4 + 1, HUGE / 8, 10] {
        numbers.truncate(length);
        numbers.shrink_to_fit();
        assert!(numbers.iter().enumerate().all(|(at, number)| *number == own(at)), "{length} numbers");
    }
}

#[test]
fn large_pieces_begin_with_a_huge_page_and_zeros_are_zeros() {
    for length in [100, HUGE - 1, HUGE, 5 * HUGE + 3] {
        // Something else stood there before.
        drop(vec![7_u8; length]);
        let zeros = vec![0_u8; length];
        assert!(zeros.iter().all(|zero| *zero == 0), "{length} zeros");
        assert!(length < HUGE || zeros.as_ptr().addr() % HUGE == 0, "{length} zeros");
    }
}
