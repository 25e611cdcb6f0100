import SlipwayCore
import Testing

@Suite struct QuantityTests {
    @Test(arguments: [
        ("30s", Duration.seconds(30)), ("5m", .seconds(300)), ("1h", .seconds(3600)), ("7d", .seconds(604_800)),
        ("500ms", .milliseconds(500)), ("1h30m", .seconds(5400)), ("1m0.5s", .milliseconds(60_500)),
        ("90", .seconds(90)), ("2.5", .milliseconds(2500)), ("0", .zero), ("0.1s", .milliseconds(100)),
        ("1us", .microseconds(1)),
    ])
    func durationsAreRead(_ text: String, _ duration: Duration) {
        #expect(Quantity.duration(text) == duration)
        #expect(Quantity.duration(Quantity.text(duration)) == duration)
    }

    @Test(arguments: [
        "", " ", "s", "5 m", "-5s", "+5s", "5x", "1e3", ".5s", "5.s", "1.2.3s", "30m1h", "1h1h", "1h30", "inf", "٣s",
        "99999999999999999999d", "5M",
    ])
    func otherDurationsAreNot(_ text: String) {
        #expect(Quantity.duration(text) == nil)
    }

    @Test(arguments: [
        ("512m", 512 << 20), ("2g", 2 << 30), ("1GiB", 1 << 30), ("1MB", 1 << 20), ("64k", 65_536), ("1.5g", 3 << 29),
        ("4096", 4096), ("10b", 10), ("0", 0), ("1T", 1 << 40),
    ])
    func sizesAreRead(_ text: String, _ bytes: Int) {
        #expect(Quantity.bytes(text) == bytes)
        #expect(Quantity.bytes(Quantity.text(bytes: bytes)) == bytes)
    }

    @Test(arguments: ["", "m", "-1", "1.5", "512 m", "1p", "1g1m", "0x10", "1e9", "99999999999t", "1.0000001k"])
    func otherSizesAreNot(_ text: String) {
        #expect(Quantity.bytes(text) == nil)
    }

    @Test func textsAreShort() {
        #expect(Quantity.text(.seconds(60)) == "60s")
        #expect(Quantity.text(.seconds(86_400)) == "24h")
        #expect(Quantity.text(.seconds(604_800)) == "7d")
        #expect(Quantity.text(.milliseconds(1500)) == "1500ms")
        #expect(Quantity.text(bytes: 1000) == "1000")
    }
}
