#include "CRunnerFiles.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char init___py[] = {
#embed "slipway_runner/__init__.py"
};
static const unsigned char attach_py[] = {
#embed "slipway_runner/attach.py"
};
static const unsigned char channel_py[] = {
#embed "slipway_runner/channel.py"
};
static const unsigned char checks_py[] = {
#embed "slipway_runner/checks.py"
};
static const unsigned char child_py[] = {
#embed "slipway_runner/child.py"
};
static const unsigned char command_py[] = {
#embed "slipway_runner/command.py"
};
static const unsigned char collect_py[] = {
#embed "slipway_runner/collect.py"
};
static const unsigned char confine_py[] = {
#embed "slipway_runner/confine.py"
};
static const unsigned char core_py[] = {
#embed "slipway_runner/core.py"
};
static const unsigned char execute_py[] = {
#embed "slipway_runner/execute.py"
};
static const unsigned char floor_py[] = {
#embed "slipway_runner/floor.py"
};
static const unsigned char frames_py[] = {
#embed "slipway_runner/frames.py"
};
static const unsigned char gpu_py[] = {
#embed "slipway_runner/gpu.py"
};
static const unsigned char heap_py[] = {
#embed "slipway_runner/heap.py"
};
static const unsigned char hugepages_py[] = {
#embed "slipway_runner/hugepages.py"
};
static const unsigned char hygiene_py[] = {
#embed "slipway_runner/hygiene.py"
};
static const unsigned char jsontext_py[] = {
#embed "slipway_runner/jsontext.py"
};
static const unsigned char joblog_py[] = {
#embed "slipway_runner/joblog.py"
};
static const unsigned char jobs_py[] = {
#embed "slipway_runner/jobs.py"
};
static const unsigned char lib_slipway_py[] = {
#embed "slipway_runner/lib/slipway.py"
};
static const unsigned char lib_slipway_graflow_init_py[] = {
#embed "slipway_runner/lib/slipway_graflow/__init__.py"
};
static const unsigned char lib_slipway_graflow_sandbox_py[] = {
#embed "slipway_runner/lib/slipway_graflow/sandbox.py"
};
static const unsigned char limits_py[] = {
#embed "slipway_runner/limits.py"
};
static const unsigned char linux_py[] = {
#embed "slipway_runner/linux.py"
};
static const unsigned char local_py[] = {
#embed "slipway_runner/local.py"
};
static const unsigned char loop_py[] = {
#embed "slipway_runner/loop.py"
};
static const unsigned char nursery_py[] = {
#embed "slipway_runner/nursery.py"
};
static const unsigned char outcomes_py[] = {
#embed "slipway_runner/outcomes.py"
};
static const unsigned char outputs_py[] = {
#embed "slipway_runner/outputs.py"
};
static const unsigned char pulse_py[] = {
#embed "slipway_runner/pulse.py"
};
static const unsigned char relay_py[] = {
#embed "slipway_runner/relay.py"
};
static const unsigned char packing_py[] = {
#embed "slipway_runner/packing.py"
};
static const unsigned char relocation_py[] = {
#embed "slipway_runner/relocation.py"
};
static const unsigned char report_py[] = {
#embed "slipway_runner/report.py"
};
static const unsigned char sanitation_py[] = {
#embed "slipway_runner/sanitation.py"
};
static const unsigned char scrub_py[] = {
#embed "slipway_runner/scrub.py"
};
static const unsigned char slot_py[] = {
#embed "slipway_runner/slot.py"
};
static const unsigned char spawn_py[] = {
#embed "slipway_runner/spawn.py"
};
static const unsigned char supervisor_py[] = {
#embed "slipway_runner/supervisor.py"
};
static const unsigned char task_py[] = {
#embed "slipway_runner/task.py"
};
static const unsigned char zygote_py[] = {
#embed "slipway_runner/zygote.py"
};

static const struct slipway_runner_file files[] = {
    {"__init__.py", init___py, sizeof init___py},
    {"attach.py", attach_py, sizeof attach_py},
    {"channel.py", channel_py, sizeof channel_py},
    {"checks.py", checks_py, sizeof checks_py},
    {"child.py", child_py, sizeof child_py},
    {"command.py", command_py, sizeof command_py},
    {"collect.py", collect_py, sizeof collect_py},
    {"confine.py", confine_py, sizeof confine_py},
    {"core.py", core_py, sizeof core_py},
    {"execute.py", execute_py, sizeof execute_py},
    {"floor.py", floor_py, sizeof floor_py},
    {"frames.py", frames_py, sizeof frames_py},
    {"gpu.py", gpu_py, sizeof gpu_py},
    {"heap.py", heap_py, sizeof heap_py},
    {"hugepages.py", hugepages_py, sizeof hugepages_py},
    {"hygiene.py", hygiene_py, sizeof hygiene_py},
    {"joblog.py", joblog_py, sizeof joblog_py},
    {"jsontext.py", jsontext_py, sizeof jsontext_py},
    {"jobs.py", jobs_py, sizeof jobs_py},
    {"lib/slipway.py", lib_slipway_py, sizeof lib_slipway_py},
    {"lib/slipway_graflow/__init__.py", lib_slipway_graflow_init_py, sizeof lib_slipway_graflow_init_py},
    {"lib/slipway_graflow/sandbox.py", lib_slipway_graflow_sandbox_py, sizeof lib_slipway_graflow_sandbox_py},
    {"limits.py", limits_py, sizeof limits_py},
    {"linux.py", linux_py, sizeof linux_py},
    {"local.py", local_py, sizeof local_py},
    {"loop.py", loop_py, sizeof loop_py},
    {"nursery.py", nursery_py, sizeof nursery_py},
    {"outcomes.py", outcomes_py, sizeof outcomes_py},
    {"outputs.py", outputs_py, sizeof outputs_py},
    {"pulse.py", pulse_py, sizeof pulse_py},
    {"relay.py", relay_py, sizeof relay_py},
    {"packing.py", packing_py, sizeof packing_py},
    {"relocation.py", relocation_py, sizeof relocation_py},
    {"report.py", report_py, sizeof report_py},
    {"sanitation.py", sanitation_py, sizeof sanitation_py},
    {"scrub.py", scrub_py, sizeof scrub_py},
    {"slot.py", slot_py, sizeof slot_py},
    {"spawn.py", spawn_py, sizeof spawn_py},
    {"supervisor.py", supervisor_py, sizeof supervisor_py},
    {"task.py", task_py, sizeof task_py},
    {"zygote.py", zygote_py, sizeof zygote_py},
};
const struct slipway_runner_file *const slipway_runner_files = files;
const size_t slipway_runner_file_count = sizeof files / sizeof files[0];

/* The builder of environments. */
static const unsigned char builder_build_py[] = {
#embed "builder/build.py"
};
static const unsigned char builder_installers_py[] = {
#embed "builder/installers.py"
};
static const unsigned char builder_output_py[] = {
#embed "builder/output.py"
};
static const unsigned char builder_project_py[] = {
#embed "builder/project.py"
};
static const unsigned char builder_record_py[] = {
#embed "builder/record.py"
};
static const unsigned char builder_interpreter_py[] = {
#embed "builder/interpreter.py"
};
static const unsigned char builder_main_py[] = {
#embed "builder/main.py"
};
static const unsigned char builder_reach_py[] = {
#embed "builder/reach.py"
};
static const unsigned char builder_seal_py[] = {
#embed "builder/seal.py"
};
static const unsigned char builder_verdict_py[] = {
#embed "builder/verdict.py"
};
static const unsigned char builder_volume_py[] = {
#embed "builder/volume.py"
};
static const unsigned char builder_worker_py[] = {
#embed "builder/worker.py"
};

static const struct slipway_runner_file builder_files[] = {
    {"build.py", builder_build_py, sizeof builder_build_py},
    {"installers.py", builder_installers_py, sizeof builder_installers_py},
    {"interpreter.py", builder_interpreter_py, sizeof builder_interpreter_py},
    {"main.py", builder_main_py, sizeof builder_main_py},
    {"output.py", builder_output_py, sizeof builder_output_py},
    {"project.py", builder_project_py, sizeof builder_project_py},
    {"reach.py", builder_reach_py, sizeof builder_reach_py},
    {"record.py", builder_record_py, sizeof builder_record_py},
    {"seal.py", builder_seal_py, sizeof builder_seal_py},
    {"verdict.py", builder_verdict_py, sizeof builder_verdict_py},
    {"volume.py", builder_volume_py, sizeof builder_volume_py},
    {"worker.py", builder_worker_py, sizeof builder_worker_py},
};
const struct slipway_runner_file *const slipway_builder_files = builder_files;
const size_t slipway_builder_file_count = sizeof builder_files / sizeof builder_files[0];
