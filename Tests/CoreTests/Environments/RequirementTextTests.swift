import SlipwayCore
import Testing

@Suite("Requirements in one form")
struct RequirementTextTests {
    @Test(
        "ways to write the same requirement become one",
        arguments: [
            ("numpy", " numpy "), ("num-py", "Num_Py"), ("num-py", "num.-_py"), ("a<3,>=2", "a >= 2 , < 3"),
            ("a<3,>=2", "a (>=2,<3)"), ("a[x,y-z]==1", "A[Y_Z, x] == 1"),
            ("a>=1; python_version < '3.9'", "a>=1 ;python_version < '3.9'"),
        ])
    func same(_ form: String, _ text: String) {
        #expect(RequirementText(text).text == form)
        #expect(RequirementText(form).text == form)
    }

    @Test("different requirements stay different")
    func different() {
        let all = ["a", "b", "a==1", "a===1", "a==1.*", "a[x]", "a; python_version < '3'", "a @ https://h/a.whl"]
        #expect(Set(all.map { RequirementText($0).text }).count == all.count)
    }

    @Test("hashes follow the requirement in a fixed order, and a hashed one is a pin")
    func hashes() {
        let form = RequirementText("A == 1 ; python_version > '3' --hash=sha256:b  --hash=sha256:a")
        #expect(form.text == "a==1; python_version > '3' --hash=sha256:a --hash=sha256:b")
        #expect(form.isHashed && form.isPinned)
        #expect(form.name == "a")
        #expect(RequirementText(form.text) == form)
        #expect(!RequirementText("a==1").isHashed)
    }

    @Test("addresses and hashes stay as they were written")
    func kept() {
        let address = "a @ https://Example.org/A_b.whl"
        #expect(RequirementText(address).text == address)
        #expect(RequirementText("a==1 --hash=sha256:AB").text == "a==1 --hash=sha256:AB")
        #expect(RequirementText(address).name == "a")
    }

    @Test(
        "only one exact version is a pin",
        arguments: [
            ("a==1", true), ("a===1", true), ("a==1.*", false), ("a>=1", false), ("a", false), ("a~=1.2", false),
        ])
    func pins(_ text: String, _ isPinned: Bool) {
        #expect(RequirementText(text).isPinned == isPinned)
    }

    @Test("a list has each requirement once, in a fixed order, and no empty ones")
    func list() {
        let texts = RequirementText.normalised(["b", "A", "a", " ", "B>=1"]).map(\.text)
        #expect(texts == ["a", "b", "b>=1"])
    }
}
