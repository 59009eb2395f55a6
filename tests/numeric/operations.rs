//! Every operation of the language, with its gradient.

use super::differences::check;

/// A network around one operation: 6 inputs, width 8, one expression on x[8] giving y with any axes.
fn around(body: &str) {
    check(&format!(
        "scale n = 8\ninput data[6]\ntarget goal[3]\nx = linear(data, n)\n{body}\nloss mse(linear(y, 3), goal)"
    ));
}

#[test]
fn elementwise_functions() {
    for name in [
        "relu",
        "leaky_relu",
        "gelu",
        "silu",
        "elu",
        "softplus",
        "tanh",
        "erf",
        "sigmoid",
        "sin",
        "cos",
        "abs",
        "square",
    ] {
        around(&format!("y = {name}(x)"));
    }
    around("y = exp(0.1*x)");
    around("y = log(1 + square(x))");
    around("y = sqrt(1 + square(x))");
    around("y = recip(2 + square(x))");
}

#[test]
fn sums_products_and_chains() {
    around("y = x + tanh(x) - 0.5*relu(x)");
    around("y = x * sigmoid(x)");
    around("y = x * x + x");
    around("y = affine(relu(affine(x, 2*n)), n)");
    around("param gain[n] = 1\nz = gain * x\ny = z + z*z");
}

#[test]
fn normalizations_and_softmax() {
    around("y = layer_norm(x)");
    around("y = rms_norm(x)");
    around("y = batch_norm(x)");
    around("y = softmax(x)");
    around("y = log_softmax(x)");
    around("z[a:2, b] = x[(a b)]\ny[(a b)] = softmax(z, over a)");
    around("z[a, b:2] = x[(a b)]\ny[(a b)] = standardize(z, over a)");
}

#[test]
fn rearrangements() {
    around("z[a:2, b] = x[(a b)]\nt[b, a] = z[a, b]\ny[(b a)] = tanh(t)");
    around(
        "z[a:2, b] = x[(a b)]\nfirst[b] = z[0, b]\nlast[b] = z[-1, b]\ny = concat(first, tanh(last), first)",
    );
    around("y = concat(x, relu(x))");
    around("z[a:2, b] = x[(a b)]\nw[a, b, k] = window(z, over b, 3, 1, 1, 2)\ny[(a b k)] = w");
    around("z[a:2, b] = x[(a b)]\nw[a, b, k] = window(z, over b, 2, 2, 1, 0)\ny[(a b k)] = tanh(w)");
    around("z[a:2, b] = x[(a b)]\ny[b] = max(z[a, b], over a)");
    around("z[a:2, b] = x[(a b)]\ny[b] = mean(z[a, b], over a)");
    around("y = top_k(x, 3)\ny = softmax(y)");
    around("y = dropout(x, 0.5)");
}

#[test]
fn products_with_sums() {
    around("z[a:2, b] = x[(a b)]\ng[a, c] = z[a, b] * z[c, b]\ny[(a c)] = g");
    around("z[a:2, b] = x[(a b)]\nparam w[2, 5, n/2]\nh[a, o] = w[a, o, b] * z[a, b]\ny[(a o)] = tanh(h)");
    around("z[a:2, b] = x[(a b)]\nparam w[5, n/2, 2]\nh[o] = w[o, b, a] * z[a, b]\ny = tanh(h)");
    around("z[a:2, b] = x[(a b)]\nparam w[n/2]\nh[a, b] = w[b] * z[a, b]\ny[(a b)] = h");
    around("y[i, j] = x[i] * x[j]\ny[(i j)] = y");
}

#[test]
fn repetitions() {
    around("repeat 3 { x += tanh(linear(x, n)) }\ny = x");
    around("repeat 3 shared { x += 0.3*tanh(linear(x, n)) }\ny = x");
    around("repeat 2 { repeat 2 { x += tanh(linear(x, n)) }\n x = relu(affine(x, n)) }\ny = x");
    check(
        "scale n = 6\ninput data[4, 3]\ntarget goal[4, 2]\nh[i:n] = 0\n\
         repeat t over 4 shared as cell {\n h = tanh(linear(data[t, ..], n) + linear(h, n) as inner)\n out[t, i] = h[i]\n}\n\
         loss mean(mse(readout(out, 2), goal))",
    );
}

#[test]
fn pictures_attention_and_tables() {
    check(
        "scale n = 4\ninput picture[4, 4, 1]\ntarget label in 3\n\
         x = relu(conv2d(picture, n, 3))\nx = max_pool2d(x, 2)\nx = batch_norm2d(depthwise_conv2d(x, 3))\n\
         x = conv_transpose2d(relu(x), n, 2)\nloss cross_entropy(readout(global_pool2d(x), 3), label)",
    );
    check(
        "scale n = 8\ndim head = 4, heads = n/head, vocab = 5\ninput tokens[6] in vocab\ntarget next[6] in vocab\n\
         x = embed(tokens, vocab, n)\nrepeat 2 {\n x += causal_attention(layer_norm(x), heads, head, rotate = rotary)\n\
         x += swiglu(rms_norm(x), 2*n)\n}\nloss mean(cross_entropy(readout(x, vocab), next))",
    );
    check(
        "scale n = 8\ninput x[5]\ntarget y[2]\nh = linear(x, n)\nh += mixture_of_experts(h, 3, n)\n\
         h += sparse_mixture_of_experts(rms_norm(h), 4, n)\nloss mse(readout(h, 2), y)",
    );
    check(
        "scale n = 6\ndim vocab = 7\ninput tokens[5] in vocab\ntarget next[5] in vocab\nparam table[vocab, n], bias[8, 2]\n\
         x[t, i] = table[tokens[t], i]\nx += relative_attention(x, bias, 2, 3, 4)\n\
         logits[t, v] = table[v, i] * x[t, i]\nloss mean(cross_entropy(logits, next))",
    );
}
