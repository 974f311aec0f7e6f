// Words of the charts.
import { defineMessages } from "@/i18n";

export const chartMessages = defineMessages({
    en: { as_table: "As a table", time: "Time", no_value: "no value", nothing: "Nothing has been measured yet.", readout: (chart: string) => `${chart}: values by time`, keys_help: "Arrow keys move through the values." },
    ru: { as_table: "Таблицей", time: "Время", no_value: "нет данных", nothing: "Пока ничего не измерено.", readout: (chart: string) => `${chart}: значения по времени`, keys_help: "Стрелки на клавиатуре переходят от значения к значению." },
    vi: { as_table: "Dạng bảng", time: "Thời gian", no_value: "không có số liệu", nothing: "Chưa đo được gì.", readout: (chart: string) => `${chart}: giá trị theo thời gian`, keys_help: "Dùng phím mũi tên để xem từng giá trị." },
});
