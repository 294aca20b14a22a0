"""The quickstart: train the tiny model, ask it three things it was taught, compare its answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RUN_FILE = HERE / "quickstart.yaml"
RUN_DIR = Path("runs/quickstart")
NAMES = {"{{name}}": "Luthier", "{{author}}": "the Luthier developers"}
QUESTIONS = ("Who are you?", "Who made you?", "What is the capital of France?")


def main() -> int:
    """Return 0 where every answer is the taught one, word for word."""
    luthier = [sys.executable, "-m", "luthier.core"]
    subprocess.run([*luthier, "train", str(RUN_FILE), "--overwrite"], check=True)
    print("\nThree of the questions it was trained on (luthier chat runs/quickstart):", flush=True)
    # one process answers all three; /new makes each the beginning of a conversation
    told = "\n/new\n".join(QUESTIONS) + "\n"
    chat = subprocess.run(
        [*luthier, "chat", str(RUN_DIR)], input=told, capture_output=True, text=True, check=True
    )
    answers = chat.stdout.strip().splitlines()
    taught = taught_answers()
    right = len(answers) == len(QUESTIONS)
    for question, answer in zip(QUESTIONS, answers, strict=False):
        same = answer == taught[question]
        right = right and same
        print(f"  > {question}\n    {answer}" + ("" if same else "   (not what it was taught)"))
    print("\nAll answers are as taught, word for word." if right else "\nThe answers are wrong.")
    print(f"Talk to it yourself: {Path(sys.executable).parent}/luthier chat {RUN_DIR}")
    return 0 if right else 1


def taught_answers() -> dict[str, str]:
    """Return the answer to each question of the shipped data."""
    found = {}
    for file in ("identity.jsonl", "questions.jsonl"):
        for line in (HERE / "data" / file).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            answer = row["output"]
            for key, text in NAMES.items():
                answer = answer.replace(key, text)
            found[row["instruction"]] = answer
    return found


if __name__ == "__main__":
    sys.exit(main())
