// SPDX-License-Identifier: Apache-2.0
package io.jvfio.lab;

import static io.jvfio.lab.Steps.sequence;

import io.jvfio.linux.Ioctl;
import io.jvfio.linux.uapi.Vfio;
import java.util.ArrayList;
import java.util.List;

/** Containers and groups: what may be asked when, and what closing does. */
final class LifeCycleSequences {
  private static final int EXTENSIONS = 12;

  /** All commands of a container that need an IOMMU. */
  private static final List<Ioctl> IOMMU_COMMANDS =
      List.of(
          Vfio.VFIO_IOMMU_GET_INFO,
          Vfio.VFIO_IOMMU_MAP_DMA,
          Vfio.VFIO_IOMMU_UNMAP_DMA,
          Vfio.VFIO_IOMMU_ENABLE,
          Vfio.VFIO_IOMMU_DISABLE,
          Vfio.VFIO_IOMMU_SPAPR_REGISTER_MEMORY,
          Vfio.VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY,
          Vfio.VFIO_IOMMU_SPAPR_TCE_CREATE,
          Vfio.VFIO_IOMMU_SPAPR_TCE_REMOVE);

  private LifeCycleSequences() {}

  /** Those that have nothing to do with one IOMMU type. */
  static List<Sequence> untyped() {
    return List.of(
        sequence(
            "container-empty",
            s -> {
              s.container("c").command("c", Vfio.VFIO_GET_API_VERSION);
              for (int extension = 0; extension <= EXTENSIONS; extension++) {
                s.check("c", extension);
              }
              s.check("c", -1).check("c", 1 << 20);
              IOMMU_COMMANDS.forEach(command -> s.badAddress("c", command));
              s.close("c").command("c", Vfio.VFIO_GET_API_VERSION);
            }),
        sequence(
            "container-unknown-commands",
            s ->
                s.container("c")
                    .command("c", Vfio.VFIO_GROUP_GET_STATUS)
                    .command("c", Vfio.VFIO_GROUP_UNSET_CONTAINER)
                    .command("c", Vfio.VFIO_DEVICE_GET_REGION_INFO)
                    .command("c", new Ioctl("unknown", ';', 0xff))
                    .readAt("c", 0, 4)),
        sequence(
            "container-set-iommu-without-group",
            s -> {
              s.container("c");
              for (int type = 0; type <= EXTENSIONS; type++) {
                s.setIommu("c", type);
              }
            }),
        sequence(
            "two-containers",
            s ->
                s.container("c")
                    .container("c2")
                    .command("c2", Vfio.VFIO_GET_API_VERSION)
                    .close("c")
                    .command("c2", Vfio.VFIO_GET_API_VERSION)
                    .close("c2")),
        sequence(
            "container-read-only",
            s ->
                s.openReadOnly("c", "/dev/vfio/vfio")
                    .command("c", Vfio.VFIO_GET_API_VERSION)
                    .openReadOnly("g0", "/dev/vfio/{g0}")
                    .status("g0")
                    .setContainer("g0", "c")
                    .status("g0")),
        sequence(
            "group-status",
            s ->
                s.group("g0", 0)
                    .status("g0")
                    .status("g0", 7)
                    .status("g0", 0)
                    .status("g0", 9)
                    .status("g0", 4096)
                    .badAddress("g0", Vfio.VFIO_GROUP_GET_STATUS)
                    .status("none")),
        sequence(
            "group-unknown-commands",
            s ->
                s.group("g0", 0)
                    .command("g0", Vfio.VFIO_GET_API_VERSION)
                    .command("g0", Vfio.VFIO_CHECK_EXTENSION, 1)
                    .command("g0", Vfio.VFIO_SET_IOMMU, 1)
                    .command("g0", Vfio.VFIO_DEVICE_GET_INFO)
                    .command("g0", new Ioctl("unknown", ';', 0xff))
                    .readAt("g0", 0, 4)),
        sequence(
            "group-opened-twice",
            s ->
                s.group("g0", 0)
                    .group("again", 0)
                    .group("g1", 1)
                    .close("g0")
                    .group("again", 0)
                    .status("again")),
        sequence("group-without-node", s -> s.open("g", "/dev/vfio/999").status("g")),
        sequence(
            "group-set-container-arguments",
            s ->
                s.container("c")
                    .group("g0", 0)
                    .badAddress("g0", Vfio.VFIO_GROUP_SET_CONTAINER)
                    .setContainerNumber("g0", -1)
                    .setContainerNumber("g0", 100_000)
                    .setContainer("g0", "g0")
                    .openReadOnly("file", "/proc/self/status")
                    .setContainer("g0", "file")
                    .unsetContainer("g0")
                    .setContainer("g0", "c")
                    .setContainer("g0", "c")
                    .setContainerNumber("g0", -1)
                    .setContainerNumber("g0", 100_000)
                    .setContainer("g0", "file")
                    .status("g0")
                    .unsetContainer("g0")
                    .unsetContainer("g0")
                    .status("g0")),
        sequence(
            "group-device-without-container",
            s ->
                s.group("g0", 0)
                    .device("d0", "g0", 0)
                    .device("d0", "g0", "0000:ff:1f.7")
                    .device("d0", "g0", "")
                    .badAddress("g0", Vfio.VFIO_GROUP_GET_DEVICE_FD)),
        sequence(
            "group-device-without-iommu",
            s ->
                s.attached()
                    .device("d0", "g0", 0)
                    .device("d0", "g0", "0000:ff:1f.7")
                    .device("d0", "g0", "{d1}")
                    .status("g0")),
        sequence(
            "container-closed-before-its-group",
            s ->
                s.attached()
                    .close("c")
                    .status("g0")
                    .unsetContainer("g0")
                    .status("g0")
                    .container("c")
                    .setContainer("g0", "c")
                    .status("g0")),
        sequence(
            "group-closed-in-container",
            s ->
                s.attached()
                    .close("g0")
                    .group("g0", 0)
                    .status("g0")
                    .setContainer("g0", "c")
                    .status("g0")),
        sequence(
            "group-changes-container",
            s ->
                s.container("c")
                    .container("c2")
                    .group("g0", 0)
                    .setContainer("g0", "c")
                    .setContainer("g0", "c2")
                    .unsetContainer("g0")
                    .setContainer("g0", "c2")
                    .unsetContainer("g0")
                    .setContainer("g0", "c")
                    .status("g0")),
        sequence(
            "two-groups-attached",
            s ->
                s.attached()
                    .group("g1", 1)
                    .setContainer("g1", "c")
                    .status("g1")
                    .unsetContainer("g0")
                    .status("g0")
                    .status("g1")
                    .setContainer("g0", "c")
                    .close("g1")
                    .unsetContainer("g0")
                    .setIommu("c", Vfio.VFIO_TYPE1_IOMMU)));
  }

  /**
   * Those that a container goes through with {@code type}, which SET_IOMMU accepts here.
   *
   * @param name the type's name
   */
  static List<Sequence> typed(String name, int type) {
    var sequences = new ArrayList<Sequence>();
    sequences.add(
        sequence(
            name + "-set-iommu-and-again",
            s -> {
              s.ready(type);
              for (int again = 0; again <= EXTENSIONS; again++) {
                s.setIommu("c", again);
              }
              s.command("c", Vfio.VFIO_GET_API_VERSION);
              for (int extension = 0; extension <= EXTENSIONS; extension++) {
                s.check("c", extension);
              }
              s.status("g0");
            }));
    sequences.add(
        sequence(
            name + "-unknown-commands",
            s -> {
              s.ready(type);
              IOMMU_COMMANDS.forEach(command -> s.badAddress("c", command));
              s.command("c", new Ioctl("unknown", ';', 0xff))
                  .command("c", Vfio.VFIO_GROUP_GET_STATUS)
                  .command("c", Vfio.VFIO_DEVICE_GET_INFO)
                  .command("c", Vfio.VFIO_DEVICE_RESET);
            }));
    sequences.add(
        sequence(
            name + "-iommu-goes-with-the-last-group",
            s ->
                s.ready(type)
                    .unsetContainer("g0")
                    .badAddress("c", Vfio.VFIO_IOMMU_GET_INFO)
                    .setIommu("c", type)
                    .setContainer("g0", "c")
                    .badAddress("c", Vfio.VFIO_IOMMU_GET_INFO)
                    .setIommu("c", type)
                    .close("g0")
                    .badAddress("c", Vfio.VFIO_IOMMU_GET_INFO)
                    .group("g0", 0)
                    .setContainer("g0", "c")
                    .setIommu("c", type)
                    .badAddress("c", Vfio.VFIO_IOMMU_GET_INFO)));
    sequences.add(
        sequence(
            name + "-device-names",
            s ->
                s.ready(type)
                    .device("d0", "g0", "0000:ff:1f.7")
                    .device("d0", "g0", "{d1}")
                    .device("d0", "g0", "{d0} ")
                    .device("d0", "g0", "{d0}x")
                    .device("d0", "g0", "{d0} vf_token=83d91de6-1f0e-4a2c-9d55-0f8d6a0e9e7b")
                    .device("d0", "g0", "")
                    .device("d0", "g0", "x".repeat(4095))
                    .badAddress("g0", Vfio.VFIO_GROUP_GET_DEVICE_FD)
                    .device("d0", "g0", 0)
                    .device("twin", "g0", 0)));
    sequences.add(
        sequence(
            name + "-device-holds-its-group",
            s ->
                s.readyDevice(type)
                    .unsetContainer("g0")
                    .status("g0")
                    .device("twin", "g0", 0)
                    .close("d0")
                    .unsetContainer("g0")
                    .deviceInfo("twin", 24)
                    .close("twin")
                    .unsetContainer("g0")
                    .status("g0")));
    sequences.add(
        sequence(
            name + "-group-closed-before-its-device",
            s ->
                s.readyDevice(type)
                    .close("g0")
                    .group("g0", 0)
                    .deviceInfo("d0", 24)
                    .setIommu("c", type)
                    .close("d0")
                    .group("g0", 0)
                    .status("g0")
                    .setContainer("g0", "c")
                    .setIommu("c", type)));
    sequences.add(
        sequence(
            name + "-container-closed-before-its-device",
            s ->
                s.readyDevice(type)
                    .close("c")
                    .status("g0")
                    .deviceInfo("d0", 24)
                    .container("c")
                    .setContainer("g0", "c")
                    .close("d0")
                    .unsetContainer("g0")
                    .setContainer("g0", "c")
                    .setIommu("c", type)
                    .status("g0")));
    sequences.add(
        sequence(
            name + "-closed-in-the-worst-order",
            s ->
                s.readyDevice(type)
                    .close("c")
                    .close("g0")
                    .deviceInfo("d0", 24)
                    .group("g0", 0)
                    .close("d0")
                    .group("g0", 0)
                    .status("g0")));
    sequences.add(
        sequence(
            name + "-a-container-each",
            s ->
                s.ready(type)
                    .container("c1")
                    .group("g1", 1)
                    .setContainer("g1", "c1")
                    .setIommu("c1", type)
                    .device("d0", "g0", 0)
                    .device("d1", "g1", 1)
                    .device("d1", "g0", 1)
                    .close("d0")
                    .unsetContainer("g0")
                    .deviceInfo("d1", 24)));
    sequences.add(
        sequence(
            name + "-second-group-before-the-iommu",
            s ->
                s.attached()
                    .group("g1", 1)
                    .setContainer("g1", "c")
                    .setIommu("c", type)
                    .status("g0")
                    .status("g1")
                    .badAddress("c", Vfio.VFIO_IOMMU_GET_INFO)
                    .unsetContainer("g1")
                    .setIommu("c", type)
                    .badAddress("c", Vfio.VFIO_IOMMU_GET_INFO)));
    sequences.add(
        sequence(
            name + "-second-group-after-the-iommu",
            s ->
                s.ready(type)
                    .group("g1", 1)
                    .setContainer("g1", "c")
                    .status("g1")
                    .device("d0", "g0", 0)
                    .device("d1", "g1", 1)
                    .close("d0")
                    .unsetContainer("g0")
                    .badAddress("c", Vfio.VFIO_IOMMU_GET_INFO)
                    .close("d1")
                    .unsetContainer("g1")
                    .badAddress("c", Vfio.VFIO_IOMMU_GET_INFO)));
    return sequences;
  }

  /** A type that SET_IOMMU refuses here leaves the container as it was. */
  static Sequence refused(String name, int refused, int type) {
    return sequence(
        name,
        s -> {
          s.ready(refused);
          IOMMU_COMMANDS.forEach(command -> s.badAddress("c", command));
          s.status("g0")
              .device("d0", "g0", 0)
              .setIommu("c", refused)
              .group("g1", 1)
              .setContainer("g1", "c")
              .setIommu("c", refused)
              .unsetContainer("g1")
              .setIommu("c", type)
              .badAddress("c", Vfio.VFIO_IOMMU_GET_INFO)
              .setIommu("c", refused)
              .device("d0", "g0", 0);
        });
  }

  /** Every number that is no type of this machine. */
  static Sequence types(String name, List<Integer> types) {
    return sequence(
        name,
        s -> {
          s.attached();
          types.forEach(type -> s.setIommu("c", type));
          s.setIommu("c", -1).setIommu("c", 100).status("g0");
        });
  }
}
