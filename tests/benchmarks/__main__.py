"""`make bench`: every benchmark in turn. They print figures and ratios; none of them can fail on a figure."""

from tests.benchmarks import answering, grading, overlap, planning, rotation, scale, throughput, trying

if __name__ == "__main__":
    throughput.main()
    grading.main()
    rotation.main()
    trying.main()
    planning.main()
    answering.main()
    overlap.main()
    scale.main()
