import runpy

print("as", __name__)
if __name__ == "__main__":
    print(sorted(set(runpy.run_path(__file__, run_name="other")) - {"runpy"}))
