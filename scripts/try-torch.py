"""Makes small PyTorch and transformers models with random weights, and what they answer when Python asks them itself.

`try-torch.ts` serves them with berth/python and compares. Prints a list of {folder, task, body, type, accept, expected}.
"""

import io
import json
import os
import sys

import numpy
import torch
import transformers
from PIL import Image

FOLDER = sys.argv[1]
ROWS = [[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "wine", "is", "good", "bad", "where", "cellar", "in", "?"]
CASES = []


def case(folder, expected, body, task=None, type="application/json", accept="application/json"):
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    CASES.append(
        {"folder": folder, "task": task, "body": data.hex(), "type": type, "accept": accept, "expected": expected}
    )


def folder_of(name):
    path = os.path.join(FOLDER, name)
    os.makedirs(path)
    return path


def torchscript():
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)).eval()
    rows = torch.tensor(ROWS)
    with torch.no_grad():
        expected = model(rows).tolist()
    for folder, name in (("script", "model.pt"), ("named", "net.pth")):
        torch.jit.script(model).save(os.path.join(folder_of(folder), name))
    npy, saved = io.BytesIO(), io.BytesIO()
    numpy.save(npy, rows.numpy())
    torch.save(rows, saved)
    case("script", expected, ROWS)
    case("named", expected, ROWS)
    case("script", expected, "\n".join(",".join(map(str, row)) for row in ROWS), type="text/csv")
    case("script", expected, npy.getvalue(), type="application/x-npy")
    case("script", expected, saved.getvalue(), type="tensor/pt")
    case("script", expected, ROWS, accept="text/csv")
    torch.save(model.state_dict(), os.path.join(folder_of("state"), "model.pt"))
    # The weights alone need their class.
    code = os.path.join(folder_of("own"), "code")
    os.makedirs(code)
    torch.save(model.state_dict(), os.path.join(FOLDER, "own", "weights.bin"))
    with open(os.path.join(code, "inference.py"), "w") as file:
        file.write(
            "import os, torch\n"
            "def model_fn(model_dir):\n"
            "    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))\n"
            "    model.load_state_dict(torch.load(os.path.join(model_dir, 'weights.bin')))\n"
            "    return model.eval()\n"
        )
    case("own", expected, ROWS)


def pipelines():
    with open(os.path.join(FOLDER, "vocab.txt"), "w") as file:
        file.write("\n".join(WORDS))
    tokenizer = transformers.BertTokenizerFast(os.path.join(FOLDER, "vocab.txt"))
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=64, **sizes)

    def save(name, model, *others):
        for one in (model, *others):
            one.save_pretrained(os.path.join(FOLDER, name))

    def text(name, model, task, body, told=False):
        save(name, model, tokenizer)
        pipe = transformers.pipeline(task, model=os.path.join(FOLDER, name))
        expected = pipe(body["inputs"], **body.get("parameters", {}))
        case(name, json.loads(json.dumps(expected, default=lambda value: value.tolist())), body, task if told else None)
        return expected

    sentence = "the wine is good"
    several = text("classify", transformers.BertForSequenceClassification(config), "text-classification", {"inputs": [sentence, "the wine is bad"]})
    case("classify", several, "inputs\n%s\nthe wine is bad\n" % sentence, type="text/csv")
    case("classify", None, [1, 2])
    pair = {"inputs": {"text": sentence, "text_pair": "the wine is bad"}, "parameters": {"top_k": 2}}
    text("pair", transformers.BertForSequenceClassification(config), "text-classification", pair)
    text("zero", transformers.BertForSequenceClassification(config), "zero-shot-classification",
         {"inputs": sentence, "parameters": {"candidate_labels": ["good", "bad"]}}, told=True)
    text("tokens", transformers.BertForTokenClassification(config), "token-classification", {"inputs": sentence})
    text("mask", transformers.BertForMaskedLM(config), "fill-mask", {"inputs": "the wine is [MASK]"})
    text("answer", transformers.BertForQuestionAnswering(config), "question-answering",
         {"inputs": {"question": "where is the wine ?", "context": "the wine is in the cellar"}})
    text("features", transformers.BertModel(config), "feature-extraction", {"inputs": sentence}, told=True)
    gpt = transformers.GPT2Config(vocab_size=len(WORDS), n_positions=64, n_embd=16, n_layer=2, n_head=2, bos_token_id=2, eos_token_id=3)
    text("generate", transformers.GPT2LMHeadModel(gpt), "text-generation",
         {"inputs": sentence, "parameters": {"max_new_tokens": 4, "do_sample": False}})

    vit = transformers.ViTConfig(image_size=32, patch_size=8, num_labels=3, **sizes)
    save("image", transformers.ViTForImageClassification(vit), transformers.ViTImageProcessor(size={"height": 32, "width": 32}))
    picture = Image.fromarray(numpy.arange(32 * 32 * 3, dtype="uint8").reshape(32, 32, 3))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    pipe = transformers.pipeline("image-classification", model=os.path.join(FOLDER, "image"))
    case("image", pipe(picture), buffer.getvalue(), type="image/png")


torch.manual_seed(1)
torchscript()
pipelines()
print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__, "numpy": numpy.__version__, "cases": CASES}))
