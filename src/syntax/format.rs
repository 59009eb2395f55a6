//! The canonical form: one statement per line, two blanks per block, single blanks, no needless parentheses.
//!
//! What is printed depends on the tree, on the order of the comments among its names, and on three facts about the text: how a
//! number was written, whether a comment had a line of its own, and whether a blank line stood before a statement or comment. The
//! canonical form keeps all of these, so formatting twice is formatting once.

mod expression;
mod line;
mod rules;
mod statement;

use self::line::Line;
use super::ast::{Comment, File, Stmt};

/// Prints a file in canonical form; `text` is what it was parsed from.
pub fn format(file: &File, text: &str) -> String {
    let mut printer = Printer {
        text,
        comments: &file.comments,
        line: Line::default(),
        out: String::new(),
        indent: 0,
        block_start: 0,
        commented: true,
    };
    printer.statements(&file.statements, u32::MAX);
    printer.out
}

/// The text so far, the line that is being put together, and the comments that are still to come.
struct Printer<'a> {
    text: &'a str,
    comments: &'a [Comment],
    line: Line,
    out: String,
    indent: usize,
    /// Where the innermost block began: no blank line is printed there.
    block_start: usize,
    /// Whether the last line cannot take a comment, having one.
    commented: bool,
}

impl<'a> Printer<'a> {
    /// Statements and the comments among them, up to the byte `end`.
    fn statements(&mut self, statements: &[Stmt], end: u32) {
        for (at, statement) in statements.iter().enumerate() {
            while let Some(comment) = self.comment_before(statement.span.start) {
                self.own_line_comment(comment);
            }
            self.blank_line(statement.span.start);
            self.statement(statement);
            while let Some(comment) = self.comment_before(statement.span.end) {
                self.comment_behind(comment);
            }
            self.trailing_comments(statements.get(at + 1).map_or(end, |next| next.span.start));
        }
        while let Some(comment) = self.comment_before(end) {
            self.own_line_comment(comment);
        }
    }

    /// The statements of a block whose `}` is at the byte `end`, behind its head.
    fn block(&mut self, body: &[Stmt], end: u32) {
        let commented = self.comments.first().is_some_and(|comment| comment.span.start < end);
        if body.is_empty() && !commented {
            self.word(" {}");
            return self.end_line();
        }
        self.word(" {");
        self.end_line();
        self.block_start = self.out.len();
        self.indent += 2;
        self.trailing_comments(body.first().map_or(end, |first| first.span.start));
        self.statements(body, end);
        self.indent -= 2;
        self.word("}");
        self.end_line();
    }

    /// The next comment, if it begins before the byte `end`.
    fn comment_before(&mut self, end: u32) -> Option<&'a Comment> {
        let (first, others) = self.comments.split_first().filter(|(first, _)| first.span.start < end)?;
        self.comments = others;
        Some(first)
    }

    /// Comments before the byte `end` that go on in the line of what was printed last.
    fn trailing_comments(&mut self, end: u32) {
        while self.comments.first().is_some_and(|next| next.span.start < end && !self.has_own_line(next)) {
            if let Some(comment) = self.comment_before(end) {
                self.comment_behind(comment);
            }
        }
    }

    /// A comment behind the last line, if it stood behind something and that line has none yet.
    fn comment_behind(&mut self, comment: &Comment) {
        if self.commented || self.has_own_line(comment) {
            return self.own_line_comment(comment);
        }
        let begins_block = self.block_start == self.out.len();
        self.out.pop();
        self.out.push_str("  ");
        self.out.push_str(&comment.text);
        self.out.push('\n');
        self.commented = true;
        if begins_block {
            self.block_start = self.out.len();
        }
    }

    fn own_line_comment(&mut self, comment: &Comment) {
        self.blank_line(comment.span.start);
        self.out.push_str(&" ".repeat(self.indent));
        self.out.push_str(&comment.text);
        self.out.push('\n');
        self.commented = true;
    }

    /// Whether nothing but blanks stands before the comment in its line.
    fn has_own_line(&self, comment: &Comment) -> bool {
        let before = self.text.get(..comment.span.start as usize).unwrap_or("");
        let before = before.trim_end_matches([' ', '\t', '\r', '\x0c', '\u{feff}']);
        before.is_empty() || before.ends_with('\n')
    }

    /// A blank line, if one stands before the byte `start` and no block begins here.
    fn blank_line(&mut self, start: u32) {
        let before = self.text.get(..start as usize).unwrap_or("");
        let blanks = &before[before.trim_ascii_end().len()..];
        if self.block_start != self.out.len() && blanks.matches('\n').count() > 1 {
            self.out.push('\n');
        }
    }

    /// Adds to the line.
    fn word(&mut self, text: &str) {
        self.line.push(text);
    }

    /// Adds what stood at the byte `start` to the line, behind the comments that stood before it.
    fn leaf(&mut self, text: &str, start: u32) {
        while let Some(comment) = self.comment_before(start) {
            let own_line = self.has_own_line(comment);
            self.line.comment(comment.text.clone(), own_line);
        }
        self.line.push(text);
    }

    /// Items with commas between them, where a long line may be broken.
    fn separated<T>(&mut self, items: &[T], mut print: impl FnMut(&mut Self, &T)) {
        self.line.open_list();
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.word(",");
                self.line.may_break();
            }
            print(self, item);
        }
        self.line.close_list();
    }

    fn end_line(&mut self) {
        std::mem::take(&mut self.line).write(self.indent, &mut self.out);
        self.commented = false;
    }
}
