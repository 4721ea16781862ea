"""PyTorch on one thread, where python3 has it: measure.ts in Python. Job as JSON in the argument, a `Measured` as the last line."""

import json
import os
import resource
import sys
import time

IMPORTED = time.perf_counter()
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

torch.set_num_threads(1)
torch.set_num_interop_threads(1)


def age():
    """Milliseconds since this process started, to a hundredth of a second; where there is no /proc, since the first import."""
    try:
        with open("/proc/self/stat") as file:
            ticks = int(file.read().rsplit(")", 1)[1].split()[19])
        return 1000 * (time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, AttributeError):
        return 1000 * (time.perf_counter() - IMPORTED)


def highest():
    """Resident memory at its highest, in MB. Linux counts the parent's into ru_maxrss, so it is asked for this process alone."""
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM:")) / 1024
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read_start(folder):
    """The tensors of start.safetensors by name."""
    with open(f"{folder}/start.safetensors", "rb") as file:
        data = bytearray(file.read())
    length = int.from_bytes(data[:8], "little")
    tensors = {}
    for name, about in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        dtype = torch.float32 if about["dtype"] == "F32" else torch.int32
        begin, end = about["data_offsets"]
        flat = torch.frombuffer(data[8 + length + begin : 8 + length + end], dtype=dtype)
        tensors[name] = flat.reshape(about["shape"]).clone()
    return tensors


def dense(p, path, x):
    if x.dim() > 2:
        return torch.matmul(x, p[path + ".W"]) + p[path + ".b"]
    return torch.addmm(p[path + ".b"], x, p[path + ".W"])


def norm(p, path, x):
    return F.layer_norm(x, (x.shape[-1],), p[path + ".g"], p[path + ".b"], 1e-5)


def w1(p, fed):
    h = F.relu(dense(p, "classify.dense_1", fed["image"]))
    return dense(p, "classify.dense_3", F.relu(dense(p, "classify.dense_2", h)))


def w2(p, fed):
    h = torch.tanh(dense(p, "f.dense_1", fed["x"]))
    return dense(p, "f.dense_3", torch.tanh(dense(p, "f.dense_2", h)))


def w3(p, fed):
    x = fed["image"].reshape(-1, 1, 28, 28)
    for path in ("classify.conv_1", "classify.conv_2"):
        x = F.max_pool2d(F.relu(F.conv2d(x, p[path + ".F"], p[path + ".b"], padding=2)), 2)
    return dense(p, "classify.dense_1", x.flatten(1))


def w4(p, fed):
    x = F.embedding(fed["ids"].long(), p["text.embedding_1.table"])
    weights = [p["text.lstm_1.W"], p["text.lstm_1.U"], p["text.lstm_1.b"], p["zeros"]]
    start = x.new_zeros(1, x.shape[0], 128)
    # Weights, biases, layers, dropout, training, bidirectional, batch first: what nn.LSTM calls.
    h = torch.lstm(x, (start, start), weights, True, 1, 0.0, True, False, True)[0]
    return dense(p, "text.dense_1", h)


def attend(p, path, x):
    n, t, d = x.shape
    q, k, v = ((x @ p[f"{path}.{name}"]).view(n, t, 4, d // 4).transpose(1, 2) for name in ("Wq", "Wk", "Wv"))
    o = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return o.transpose(1, 2).reshape(n, t, d) @ p[path + ".Wo"]


def w5(p, fed):
    x = F.embedding(fed["ids"].long(), p["gpt.x.table"]) + p["gpt.x.place"]
    for layer in range(2, 6):
        at = f"gpt.x_{layer}"
        x = x + attend(p, at + ".attend_1", norm(p, at + ".norm_1", x))
        x = x + dense(p, at + ".dense_2", F.gelu(dense(p, at + ".dense_1", norm(p, at + ".norm_2", x))))
    return dense(p, "gpt.dense_1", norm(p, "gpt.norm_1", x))


def w6(p, fed):
    x = fed["image"]
    for k in (1, 2, 3):
        x = F.relu(dense(p, f"reconstruct.dense_{k}", x))
    return torch.sigmoid(dense(p, "reconstruct.dense_4", x))


def matmul(p, fed):
    return fed["a"] @ fed["b"]


def entropy(y, label):
    return F.cross_entropy(y.reshape(-1, y.shape[-1]), label.long().flatten())


NETWORKS = {"w1": w1, "w2": w2, "w3": w3, "w4": w4, "w5": w5, "w6": w6, "matmul": matmul}
LOSSES = {
    "w1": lambda y, fed: entropy(y, fed["label"]),
    "w2": lambda y, fed: F.mse_loss(y, fed["y"]),
    "w3": lambda y, fed: entropy(y, fed["label"]),
    "w4": lambda y, fed: entropy(y, fed["next"]),
    "w5": lambda y, fed: entropy(y, fed["next"]),
    "w6": lambda y, fed: F.mse_loss(y, fed["image"]),
}


def laid_out(network, params):
    """Parameters as PyTorch's operators want them."""
    p = dict(params)
    if network == "w3":
        for path in ("classify.conv_1.F", "classify.conv_2.F"):
            p[path] = p[path].permute(3, 2, 0, 1).contiguous()
        w = p["classify.dense_1.W"].reshape(7, 7, 16, 10)
        p["classify.dense_1.W"] = w.permute(2, 0, 1, 3).reshape(784, 10).contiguous()
    if network == "w4":
        for path in ("text.lstm_1.W", "text.lstm_1.U"):
            p[path] = p[path].t().contiguous()
    return p


def gan(p):
    def make(z):
        return torch.tanh(dense(p, "generate.dense_2", F.relu(dense(p, "generate.dense_1", z))))

    def judge(x):
        return dense(p, "discriminate.dense_2", F.leaky_relu(dense(p, "discriminate.dense_1", x), 0.2))

    pick = [[t for name, t in p.items() if name.startswith(net)] for net in ("discriminate", "generate")]
    first, second = (torch.optim.Adam(own, lr=2e-4, betas=(0.5, 0.999), eps=1e-8) for own in pick)

    def step(fed):
        with torch.no_grad():
            fake = make(fed["z1"])
        first.zero_grad()
        a = F.softplus(-judge(fed["image"])).mean() + F.softplus(judge(fake)).mean()
        a.backward()
        first.step()
        second.zero_grad()
        b = F.softplus(-judge(make(fed["z2"]))).mean()
        b.backward()
        second.step()
        return [a.item(), b.item()]

    return step


def training(network, p):
    if network == "w7":
        return gan(p)
    own = list(p.values())
    rate = 2e-3 if network == "w4" else 1e-3
    optimizer = torch.optim.SGD(own, lr=0.05) if network == "w2" else torch.optim.Adam(own, lr=rate, eps=1e-8)
    if network == "w4":
        # PyTorch's LSTM adds two biases; the second stays 0.
        p["zeros"] = torch.zeros(512)

    def step(fed):
        optimizer.zero_grad()
        loss = LOSSES[network](NETWORKS[network](p, fed), fed)
        loss.backward()
        optimizer.step()
        return [loss.item()]

    return step


def main():
    job = json.loads(sys.argv[1])
    kind, network = job["kind"], job["network"]
    tensors = read_start(job["folder"])
    params = {name[6:]: t for name, t in tensors.items() if name.startswith("param/")}
    batches = []
    while any(name.startswith(f"{len(batches)}/") for name in tensors):
        prefix = f"{len(batches)}/"
        batches.append({name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)})
    p = laid_out(network, params)
    if kind == "train":
        for t in p.values():
            t.requires_grad_(True)
        step = training(network, p)
    else:

        def step(fed):
            with torch.inference_mode():
                return NETWORKS[network](p, fed)

    values, first, started = [], 0.0, 0.0
    for k in range(job["steps"]):
        result = step(batches[k % len(batches)])
        values.append(result if kind == "train" else result.flatten()[:64].tolist())
        if k == 0:
            first = 1000 * (time.perf_counter() - IMPORTED)
            started = age()
    turn = 0

    def rounds(steps):
        nonlocal turn
        begin = time.perf_counter()
        for _ in range(steps):
            step(batches[turn % len(batches)])
            turn += 1
        return 1000 * (time.perf_counter() - begin) / steps

    steps, times = 1, []
    until = time.perf_counter() + job["seconds"] / 2
    while time.perf_counter() < until:
        if rounds(steps) * steps < 2:
            steps *= 2
    until = time.perf_counter() + job["seconds"]
    while time.perf_counter() < until or len(times) < 5:
        times.append(rounds(steps))
    times.sort()
    ms = times[len(times) // 2]
    print(json.dumps({"ms": ms, "values": values, "first": first, "started": started, "memory": highest()}))


main()
