import pgn_studio

digits = pgn_studio.load_dataset("digits")
classifier = pgn_studio.load_classifier("demo:digits")
run = pgn_studio.train(digits, classifier, encoder="small", epochs=1, device="cpu", out="run")
found = pgn_studio.evaluate(run.pgn, classifier, digits, gamma=3.0)
print(found.clean_accuracy, found.perturbed_accuracy_8bit, found.fixed_8bit, found.broken_8bit)
