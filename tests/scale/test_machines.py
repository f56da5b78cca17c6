def test_smoke(start, site, output):
    f = [start("fetch") for _ in range(2)]
    r = start("record", "--output", str(output), "--json")
    out, err = r.communicate(timeout=60)
    print(out, err)
    for p in f:
        p.terminate()
        print(p.communicate(timeout=20), p.returncode)
    assert 0
