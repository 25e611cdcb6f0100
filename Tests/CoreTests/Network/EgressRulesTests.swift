import SlipwayCore
import Testing

@Suite("Rules of the network mode egress")
struct EgressRulesTests {
    @Test("ranges of addresses", arguments: ["0.0.0.0/0", "10.0.0.0/8", "192.0.2.7/32", "255.255.255.255/32"])
    func ranges(_ text: String) throws {
        #expect(AddressRange(text)?.description == text)
    }

    @Test(
        "what is no range",
        arguments: [
            "", "10.0.0.0", "10.0.0.0/33", "10.0.0.1/8", "10.0.0/8", "010.0.0.0/8", "10.0.0.0/08", "10.0.0.256/32",
            "10.0.0.0/8/8", "fd00::/8", "10.0.0.0/ 8", "10.0.0.0/-1", "1.2.3.4/", "/8", "10.0.0.0.0/8", "1e1.0.0.0/8",
        ])
    func noRanges(_ text: String) { #expect(AddressRange(text) == nil) }

    @Test("every private, link-local and reserved range is dropped, after what is allowed and before nothing else")
    func order() throws {
        let rules = EgressRules(
            engineID: "e1", allow: ["10.1.0.0/16", "10.0.0.5/32"], nameServers: ["10.0.0.2"])
        let texts = rules.rules.map(\.text)
        #expect(
            Array(texts.prefix(5)) == [
                "-d 10.0.0.2/32 -p udp -m udp --dport 53 -j RETURN",
                "-d 10.0.0.2/32 -p tcp -m tcp --dport 53 -j RETURN",
                "-d 10.0.0.5/32 -j RETURN", "-m addrtype --dst-type LOCAL -j DROP", "-d 10.1.0.0/16 -j RETURN",
            ])
        for range in [
            "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "127.0.0.0/8",
            "224.0.0.0/4", "0.0.0.0/8", "240.0.0.0/4",
        ] {
            #expect(texts.contains("-d \(range) -j DROP"))
        }
        #expect(texts.dropFirst(5).allSatisfy { $0.hasSuffix("-j DROP") })
        #expect(rules.chainText.hasPrefix("*raw\n:\(rules.chain) - [0:0]\n-A \(rules.chain) -d 10.0.0.2/32"))
        #expect(rules.chainText.hasSuffix("COMMIT\n"))
    }

    @Test("names fit the kernel's limits and differ by engine and tenant")
    func names() {
        let rules = EgressRules(engineID: "e1", allow: [], nameServers: [])
        let other = EgressRules(engineID: "e2", allow: [], nameServers: [])
        #expect(rules.chain.utf8.count <= 28 && rules.chain != other.chain)
        #expect(rules.interfacePrefix != other.interfacePrefix)
        let names = (0..<200).map { rules.interface(of: "tenant-\($0)") }
        #expect(Set(names).count == 200)
        #expect(names.allSatisfy { $0.utf8.count <= 15 && $0.hasPrefix(rules.interfacePrefix) })
    }

    @Test("only a single address opens one of the host")
    func opened() {
        let allow = ["172.17.0.0/16", "169.254.0.0/16", "10.0.0.5/32"]
        let rules = EgressRules(engineID: "e1", allow: allow, nameServers: [])
        #expect(!rules.opens("172.17.0.1"))
        #expect(rules.opens("169.254.169.254"))
        #expect(rules.opens("10.0.0.5"))
        #expect(!rules.opens("10.0.0.6"))
    }
}
