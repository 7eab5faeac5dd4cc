// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.AddressVerdict;
import io.jvfio.BufferOptions;
import io.jvfio.DmaBuffer;
import io.jvfio.DmaSpace;
import io.jvfio.DmaWindow;
import io.jvfio.user.VfioUserOptions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** {@code jvfio iova}. */
@Command(
    name = "iova",
    description =
        "Open a device and draw its DMA space: valid addresses, reserved ones, live maps. Sizes are"
            + " such as 4096, 0x1000, 64K or 2MiB.",
    mixinStandardHelpOptions = true)
final class IovaCommand implements Runnable {
  private static final long USUAL_PAGE = 4096;

  @ParentCommand @Nullable Main main;
  @Mixin PolicyOptions policy = new PolicyOptions();

  @Parameters(
      paramLabel = "DEVICE",
      description = DeviceName.DESCRIPTION,
      converter = DeviceName.Converter.class)
  @Nullable DeviceName name;

  @Option(
      names = "--map",
      paramLabel = "SIZE[@ADDR]",
      description = "First map so much memory, anywhere or at an address. May be repeated.",
      converter = PlacedSize.Converter.class)
  List<PlacedSize> maps = List.of();

  @Option(
      names = "--fits",
      paramLabel = "SIZE[@ADDR]",
      description =
          "Tell whether so much would fit, what it would take, and what to change. May be"
              + " repeated.",
      converter = PlacedSize.Converter.class)
  List<PlacedSize> fits = List.of();

  @Option(
      names = "--explain",
      paramLabel = "ADDR[+SIZE]",
      description =
          "Tell why an address is refused and what the next free one is; for one IOMMU page without"
              + " SIZE.",
      converter = AskedRange.Converter.class)
  @Nullable AskedRange asked;

  @Mixin PictureOption picture = new PictureOption();

  @Override
  public void run() {
    var command = Objects.requireNonNull(main);
    var output = command.output();
    picture.check(output);
    IovaReport report;
    try (var opened =
        command.openDevice(Objects.requireNonNull(name), policy, VfioUserOptions.defaults())) {
      var device = opened.device();
      report = report(opened.host(), device.name(), device.dmaSpace());
    }
    output = picture.draw(output, () -> IovaPicture.of(report));
    if (output.isJson()) {
      output.json(IovaJson.of(report));
    } else {
      IovaText.print(output, report);
    }
  }

  private IovaReport report(String host, String device, DmaSpace space) {
    var buffers = new ArrayList<DmaBuffer>();
    try {
      var origins = new HashMap<Long, String>();
      for (var map : maps) {
        var buffer =
            space.allocate(map.byteSize(), BufferOptions.anonymous().mapped(map.options()));
        buffers.add(buffer);
        origins.put(buffer.iova(), "--map " + map.text());
      }
      return new IovaReport(
          host,
          device,
          space.layout(),
          space.dynamicWindows().map(IovaReport.Windowing::of),
          origins,
          Optional.ofNullable(asked).map(range -> explain(space, range)),
          fits.stream()
              .map(fit -> new IovaReport.Fit(fit, space.estimate(fit.byteSize(), fit.options())))
              .toList());
    } finally {
      buffers.reversed().forEach(DmaBuffer::close);
    }
  }

  private static AddressVerdict explain(DmaSpace space, AskedRange asked) {
    return space.explain(
        asked.iova(), asked.byteSize().orElseGet(() -> pageAt(space, asked.iova())));
  }

  /** The IOMMU page of the window that an address is in, or of the first one. */
  private static long pageAt(DmaSpace space, long iova) {
    var windows = space.windows();
    return windows.stream()
        .filter(window -> window.contains(iova, 1))
        .findFirst()
        .or(() -> windows.stream().findFirst())
        .map(DmaWindow::pageSize)
        .orElse(USUAL_PAGE);
  }
}
