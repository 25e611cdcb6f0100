import SlipwayCore
import TestSupport
import Testing

/// Processes on parts of devices, as `nvidia-smi -q -x` reports them; written after its form, not recorded.
@Suite struct GPUReportTests {
    private static let listing = """
        GPU 0: NVIDIA A100 (UUID: GPU-a)
          MIG 1g.5gb      Device  0: (UUID: MIG-1)
          MIG 1g.5gb      Device  1: (UUID: MIG-2)
        GPU 1: NVIDIA A100 (UUID: GPU-b)

        """

    private static func process(_ instance: String, _ computing: String, _ pid: Int, _ type: String) -> String {
        """
                <process_info>
                    <gpu_instance_id>\(instance)</gpu_instance_id>
                    <compute_instance_id>\(computing)</compute_instance_id>
                    <pid>\(pid)</pid>
                    <type>\(type)</type>
                    <process_name>python3</process_name>
                </process_info>

        """
    }

    private static func report(_ first: [String], _ second: [String]) -> String {
        """
        <?xml version="1.0" ?>
        <!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
        <nvidia_smi_log>
            <attached_gpus>2</attached_gpus>
            <gpu id="00000000:10:00.0">
                <mig_devices>
                    <mig_device>
                        <index>0</index>
                        <gpu_instance_id>7</gpu_instance_id>
                        <compute_instance_id>0</compute_instance_id>
                    </mig_device>
                    <mig_device>
                        <index>1</index>
                        <gpu_instance_id>9</gpu_instance_id>
                        <compute_instance_id>0</compute_instance_id>
                    </mig_device>
                </mig_devices>
                <uuid>GPU-a</uuid>
                <processes>\(first.joined())</processes>
            </gpu>
            <gpu id="00000000:18:00.0">
                <mig_devices>
                    None
                </mig_devices>
                <uuid>GPU-b</uuid>
                <processes>\(second.joined())</processes>
            </gpu>
        </nvidia_smi_log>
        """
    }

    private func found(_ first: [String], _ second: [String] = []) -> [NvidiaSMI.ComputeProcess] {
        GPUListing.processes(
            report: Self.report(first, second), instances: GPUListing.instances(listing: Self.listing))
    }

    @Test func aProcessIsOnThePartThatItHas() {
        let all = found(
            [Self.process("9", "0", 4711, "C"), Self.process("7", "0", 12, "M+C")],
            [Self.process("N/A", "N/A", 17, "C"), Self.process("N/A", "N/A", 18, "G")])
        #expect(
            all == [
                .init(device: "MIG-2", pid: 4711), .init(device: "MIG-1", pid: 12), .init(device: "GPU-b", pid: 17),
            ])
        #expect(found([]).isEmpty)
    }

    @Test func oneWhosePartIsNotToldCountsForAll() {
        #expect(
            found([Self.process("N/A", "N/A", 5, "C")]) == [
                .init(device: "MIG-1", pid: 5), .init(device: "MIG-2", pid: 5),
            ])
    }

    @Test func theToolIsAskedForThemWherePartsAreMeant() throws {
        let folder = try TemporaryFolder()
        let tool = try RecordedNvidiaSMI(folder: folder)
        try folder.write("listing", Self.listing)
        try folder.write("report", Self.report([Self.process("9", "0", 4711, "C")], []))
        try tool.writeScript(
            """
            case "$1 $2" in
            "-L ") cat '\(folder.path)/listing' ;;
            "-q -x") cat '\(folder.path)/report' ;;
            --query-compute-apps=*) echo 'GPU-a, 4711' ;;
            *) exit 2 ;;
            esac
            """)
        let driver = NvidiaSMI(tool: tool.path)
        #expect(try driver.computeProcesses() == [.init(device: "GPU-a", pid: 4711)])
        #expect(try driver.computeProcesses(ofInstances: true) == [.init(device: "MIG-2", pid: 4711)])
    }
}
