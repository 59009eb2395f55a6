//! The allocator of the programs that train: the system's, asked to lay large pieces in huge pages.
//!
//! Matrix products walk through rows that are a page of memory or more apart. With pages of 4 kB the processor may have to look up where a page lies at every
//! row; with pages of 2 MB it rarely has to. Linux gives them to who asks (`madvise`, the setting of most distributions); elsewhere nothing is asked.

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator with huge pages for large pieces. A program takes it with `#[global_allocator]`.
#[derive(Debug)]
pub struct HugePages;

/// The size of a huge page where it is 2 MB (x86-64, and most others): pieces of this size begin with one.
const HUGE: usize = 2 << 20;

/// A piece as it is asked for: a large one begins where a huge page may.
fn aligned(layout: Layout) -> Layout {
    if layout.size() < HUGE { layout } else { layout.align_to(HUGE).unwrap_or(layout) }
}

// SAFETY: every piece comes from the system's allocator and goes back to it, with the same layout, which depends on the caller's alone.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for HugePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise; the layout is as large as the caller's and at least as aligned.
        advised(unsafe { System.alloc(aligned(layout)) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() < HUGE {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: the caller's promise; what there is of the piece is its size. It is written after its pages are asked for.
        unsafe {
            let piece = self.alloc(layout);
            if !piece.is_null() {
                piece.write_bytes(0, layout.size());
            }
            piece
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.size().max(size) < HUGE {
            // SAFETY: the caller's promise.
            return unsafe { System.realloc(piece, layout, size) };
        }
        // SAFETY: the caller's promise makes the new layout one; both pieces hold what is copied.
        unsafe {
            let other = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !other.is_null() {
                piece.copy_to_nonoverlapping(other, layout.size().min(size));
                self.dealloc(piece, layout);
            }
            other
        }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise; the piece came with this layout.
        unsafe { System.dealloc(piece, aligned(layout)) }
    }
}

/// The same piece; if it is large, its pages may from now on be huge ones.
#[inline]
fn advised(piece: *mut u8, size: usize) -> *mut u8 {
    if size >= HUGE && !piece.is_null() {
        advise(piece, size);
    }
    piece
}

/// Asks for huge pages under a piece of memory. A refusal changes nothing.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn advise(piece: *mut u8, size: usize) {
    // SAFETY: this advice changes how memory is laid out, never what stands in it.
    let _ = unsafe { rustix::mm::madvise(piece.cast(), size, rustix::mm::Advice::LinuxHugepage) };
}

#[cfg(not(target_os = "linux"))]
fn advise(_piece: *mut u8, _size: usize) {}
